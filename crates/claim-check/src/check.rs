//! A compiled claim check: the public face.

use std::cell::RefCell;
use std::ptr;
use std::sync::{Arc, OnceLock};

use stampmill_claims_json::{Bound, Buffers, Limits, Slot};

use crate::checker::{Type, check, lint, node_types};
use crate::diagnostic::{CompileError, Warning};
use crate::environment::{Bindings, Environment};
use crate::error::{EvalError, Fault};
use crate::explain::{Explanation, Trace, explanation};
use crate::fold::fold;
use crate::function::Function;
use crate::interpreter::Scene;
use crate::item::Item;
use crate::jit::{self, Code, Counting};
use crate::partial::{Residual, residual};
use crate::slots::Plan;
use crate::syntax;
use crate::syntax::ast::{Ast, Expr, Variable};
use crate::value::Value;
use crate::worst_case::worst_case;

/// An expression over the claims of a token, compiled to machine code.
///
/// One check can be shared by threads and used any number of times; its code is freed with it.
///
/// Where the host has no backend (anything but x86-64 and aarch64) or refuses executable memory, the tree interpreter does
/// the work instead, with the same results; [`ClaimCheck::engine`] says which it is.
#[derive(Debug)]
pub struct ClaimCheck {
    source: Box<str>,
    /// As written: what is shown and explained.
    ast: Arc<Ast>,
    /// With constant parts folded, under the same numbers: what is evaluated.
    folded: Arc<Ast>,
    plan: Arc<Plan>,
    code: Result<Code, jit::Unavailable>,
    /// Whether that code counts what an evaluation costs: not where the limit cannot be reached.
    counting: Counting,
    /// Code that counts, where [`ClaimCheck::measure`] has asked for it.
    measuring: OnceLock<Result<Code, jit::Unavailable>>,
    environment: Environment,
    result_type: Type,
}

/// What a check knows beside the claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The variable `now`: seconds since 1970-01-01T00:00:00Z, as in `exp` and `nbf` (RFC 7519 §2, NumericDate).
    pub now: i64,
}

/// A payload that has been validated, and the claims in it that a check reads: from [`ClaimCheck::bind`].
#[derive(Clone, Copy, Debug)]
pub struct BoundClaims<'b>(Bound<'b>);

/// What [`ClaimCheck::show`] can print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// The syntax tree: node numbers, spans in bytes, operators.
    Ast,
    /// The syntax tree with the type of each node.
    Types,
    /// The syntax tree with what each node costs at worst, its operands included, on a payload of 4,096 bytes.
    Cost,
    /// Cranelift's intermediate representation before optimization; `@0007` marks node 7.
    Clif,
    /// The processor's instructions as Cranelift chose them, after register allocation; `#7` marks node 7.
    Vcode,
    /// The machine code: offset, node, bytes, instruction.
    Asm,
}

impl ClaimCheck {
    /// Parses an expression and translates it to machine code.
    ///
    /// # Errors
    /// [`CompileError`], which displays as the source with a caret under the fault.
    ///
    /// # Example
    /// ```
    /// use stampmill_claim_check::{ClaimCheck, Context};
    ///
    /// let check = ClaimCheck::compile(r#"claims.exp > now && "ops" in claims.roles"#)?;
    /// let context = Context { now: 1_700_000_000 };
    /// assert!(check.decide(br#"{"exp":1700000060,"roles":["dev","ops"]}"#, &context)?);
    /// assert!(!check.decide(br#"{"exp":1600000000,"roles":["dev","ops"]}"#, &context)?);
    ///
    /// // A missing claim is an error, not false ...
    /// let error = check.decide(br#"{"exp":1700000060}"#, &context).unwrap_err();
    /// assert_eq!(error.to_string(), "no such key: `claims.roles` (at byte 29 of the expression)");
    /// // ... unless the other side of && decides alone.
    /// assert!(!check.decide(br#"{"exp":1600000000}"#, &context)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        Self::compile_in(source, &Environment::claims())
    }

    /// [`compile`](Self::compile) with other variables, or without the type checker.
    ///
    /// # Errors
    /// [`CompileError`], which displays as the source with a caret under each fault.
    pub fn compile_in(source: &str, environment: &Environment) -> Result<Self, CompileError> {
        Self::build(source, environment, Code::compile)
    }

    /// [`compile_in`](Self::compile_in) without machine code: parsed, checked, and evaluated by the tree interpreter, with the same
    /// results. For an expression that is evaluated a few times only.
    ///
    /// # Errors
    /// As [`ClaimCheck::compile_in`].
    pub fn interpreted_in(source: &str, environment: &Environment) -> Result<Self, CompileError> {
        Self::build(source, environment, |_, _, _| {
            Err(jit::Unavailable::NotWanted)
        })
    }

    fn build(
        source: &str,
        environment: &Environment,
        code: impl FnOnce(&Arc<Ast>, &Arc<Plan>, Counting) -> Result<Code, jit::Unavailable>,
    ) -> Result<Self, CompileError> {
        let Analysis {
            ast,
            result_type,
            ints,
        } = analyse(source, environment)?;
        let ast = Arc::new(ast);
        let folded = fold(&ast).map_or_else(|| Arc::clone(&ast), Arc::new);
        let plan = Plan::of(&folded, environment.cost_limit).guessing(ints);
        let plan = Arc::new(plan);
        let counting = counting(&folded, &plan);
        let code = code(&folded, &plan, counting);
        Ok(Self {
            source: source.into(),
            ast,
            folded,
            plan,
            code,
            counting,
            measuring: OnceLock::new(),
            environment: environment.clone(),
            result_type,
        })
    }

    /// The type of the result as far as the checker could deduce it: [`Type::Dyn`] without checker.
    #[must_use]
    pub fn result_type(&self) -> &Type {
        &self.result_type
    }

    /// What compiles and is probably not what was meant, in the order of the source.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        lint(&self.ast, &self.environment)
    }

    /// Evaluates the expression by machine code, with values for the environment's variables.
    ///
    /// # Errors
    /// As [`ClaimCheck::evaluate`]; a variable without a value is an error where it is read.
    pub fn evaluate_with(&self, bindings: &Bindings<'_>) -> Result<Value, EvalError> {
        let variables = self.variables(bindings);
        self.on_payload(bindings.payload, |claims| {
            self.run(claims, &bindings.context, &variables, |item| {
                item.to_value()
            })
        })
    }

    /// Evaluates the expression by the tree interpreter, with values for the environment's variables.
    ///
    /// # Errors
    /// As [`ClaimCheck::evaluate_with`].
    pub fn interpret_with(&self, bindings: &Bindings<'_>) -> Result<Value, EvalError> {
        let variables = self.variables(bindings);
        self.on_payload(bindings.payload, |claims| {
            self.interpret_item(claims, &bindings.context, &variables, |item| {
                item.to_value()
            })
        })
    }

    /// Evaluates by the tree interpreter and tells what each part gave and which one decided.
    ///
    /// # Errors
    /// [`EvalError`] when the payload is unacceptable; an evaluation that fails is explained, too.
    pub fn explain(&self, bindings: &Bindings<'_>) -> Result<Explanation, EvalError> {
        let variables = self.variables(bindings);
        let limit = self.plan.cost_limit;
        let (plan, mut buffers) = (Plan::everything(&self.ast, limit), Buffers::default());
        let claims = everything(&plan, bindings.payload, &mut buffers)?;
        let mut trace = Trace::new(&self.ast);
        let scene = Scene {
            ast: &self.ast,
            plan: &plan,
            claims: &claims,
            context: bindings.context,
            variables: &variables,
        };
        let result = scene.node(self.ast.root(), &mut 0, &mut trace);
        let result = match result {
            Ok(item) => Ok(item.to_value()),
            Err(fault) => Err(self.error(fault)),
        };
        Ok(explanation(&self.ast, &self.source, &trace, result))
    }

    /// What remains of the expression when the claims of a payload are known and all others are not, nor any variable.
    ///
    /// ```
    /// use stampmill_claim_check::ClaimCheck;
    ///
    /// let check = ClaimCheck::compile("claims.iss == 'a' && (claims.level > 2 || claims.exp > now)")?;
    /// let remains = |payload: &[u8]| check.residual(payload, None).map(|rest| rest.to_string());
    /// assert_eq!(remains(br#"{"iss":"a"}"#)?, "claims.level > 2 || claims.exp > now");
    /// assert_eq!(remains(br#"{"iss":"a","exp":60}"#)?, "claims.level > 2 || 60 > now");
    /// assert_eq!(remains(br#"{"iss":"b"}"#)?, "false");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EvalError`] when the payload is unacceptable. A part that is an error stays as it is.
    pub fn residual(&self, payload: &[u8], now: Option<i64>) -> Result<Residual, EvalError> {
        let limit = self.plan.cost_limit;
        let (plan, mut buffers) = (Plan::everything(&self.ast, limit), Buffers::default());
        let claims = everything(&plan, payload, &mut buffers)?;
        let scene = Scene {
            ast: &self.ast,
            plan: &plan,
            claims: &claims,
            context: Context {
                now: now.unwrap_or(0),
            },
            variables: &[],
        };
        Ok(residual(&scene, &self.source, now.is_some()))
    }

    /// What an evaluation on a payload of so many bytes costs at most, by the model of [`ClaimCheck::decide`]'s cost limit:
    /// never less than any evaluation does cost. Variables count like claims.
    ///
    /// ```
    /// use stampmill_claim_check::ClaimCheck;
    ///
    /// let worst = |source| ClaimCheck::compile(source).map(|check| check.worst_case_cost(4096));
    /// assert!(worst("claims.exp > now")? < 10);
    /// assert!(worst("claims.groups.all(a, claims.groups.exists(b, a == b))")? > 1_000_000);
    /// # Ok::<(), stampmill_claim_check::CompileError>(())
    /// ```
    #[must_use]
    pub fn worst_case_cost(&self, payload_bytes: u64) -> u64 {
        let costs = worst_case(&self.folded, &self.plan, payload_bytes);
        costs.last().copied().unwrap_or(0)
    }

    /// Whether the expression reads `now`: only then does its result depend on [`Context::now`].
    ///
    /// ```
    /// # use stampmill_claim_check::ClaimCheck;
    /// assert!(ClaimCheck::compile("claims.exp > now")?.reads_now());
    /// assert!(!ClaimCheck::compile("has(claims.exp)")?.reads_now());
    /// # Ok::<(), stampmill_claim_check::CompileError>(())
    /// ```
    #[must_use]
    pub fn reads_now(&self) -> bool {
        let mut nodes = self.ast.ids().map(|id| &self.ast[id].expr);
        nodes.any(|expr| matches!(expr, Expr::Variable(Variable::Now)))
    }

    /// The values of the variables that the expression reads, in the order of their numbers.
    fn variables<'v>(&self, bindings: &'v Bindings<'_>) -> Vec<Option<Item<'v>>> {
        let value = |name: &str| {
            let bound = bindings.variables.iter().rfind(|(known, _)| *known == name);
            bound.and_then(|(_, value)| Item::from_value(value))
        };
        self.ast.names.iter().map(|name| value(name)).collect()
    }

    /// Decides about a payload (UTF-8 JSON, [`Limits::TOKEN`]).
    ///
    /// # Errors
    /// [`EvalError`] when the payload is unacceptable, the evaluation fails or its result is not a bool. Take every error as a refusal.
    pub fn decide(&self, payload: &[u8], context: &Context) -> Result<bool, EvalError> {
        self.on_payload(payload, |claims| self.decide_bound(claims, context))
    }

    /// Reads what this check needs of a payload (UTF-8 JSON, [`Limits::TOKEN`]), for [`ClaimCheck::decide_on`]. The buffers are
    /// memory to be used again.
    ///
    /// # Errors
    /// [`EvalError`] when the payload is unacceptable.
    ///
    /// # Example
    /// ```
    /// use stampmill_claim_check::{Buffers, ClaimCheck, Context};
    ///
    /// let check = ClaimCheck::compile("claims.exp > now")?;
    /// let mut buffers = Buffers::default();
    /// let claims = check.bind(br#"{"exp":1700000060}"#, &mut buffers)?;
    /// assert!(check.decide_on(&claims, &Context { now: 1_700_000_000 })?);
    /// assert!(!check.decide_on(&claims, &Context { now: 1_700_000_060 })?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bind<'b>(
        &'b self,
        payload: &'b [u8],
        buffers: &'b mut Buffers,
    ) -> Result<BoundClaims<'b>, EvalError> {
        let bound = self.plan.paths.bind(payload, &Limits::TOKEN, buffers)?;
        match bound.slots()[0].kind() {
            Slot::MAP => Ok(BoundClaims(bound)),
            _ => Err(EvalError::NotAnObject),
        }
    }

    /// Decides about claims that [`ClaimCheck::bind`] of this check has read.
    ///
    /// # Errors
    /// As [`ClaimCheck::decide`], apart from those of the payload; [`EvalError::OtherCheck`] for claims that another check has read.
    #[inline]
    pub fn decide_on(
        &self,
        claims: &BoundClaims<'_>,
        context: &Context,
    ) -> Result<bool, EvalError> {
        self.decide_bound(self.own(claims)?, context)
    }

    /// Evaluates the expression by machine code.
    ///
    /// # Errors
    /// [`EvalError`] when the payload is unacceptable or the evaluation fails.
    pub fn evaluate(&self, payload: &[u8], context: &Context) -> Result<Value, EvalError> {
        self.on_payload(payload, |claims| {
            self.run(claims, context, &[], |item| item.to_value())
        })
    }

    /// Evaluates the expression by the tree interpreter: same values, same errors.
    ///
    /// # Errors
    /// As [`ClaimCheck::evaluate`].
    pub fn interpret(&self, payload: &[u8], context: &Context) -> Result<Value, EvalError> {
        self.on_payload(payload, |claims| {
            self.interpret_item(claims, context, &[], |item| item.to_value())
        })
    }

    /// Evaluates the expression by machine code and tells what that cost, by the model in [`limits`](crate::limits), whether it
    /// ended with a value or an error.
    ///
    /// # Errors
    /// As [`ClaimCheck::evaluate`].
    ///
    /// # Example
    /// ```
    /// use stampmill_claim_check::{ClaimCheck, Context, Value};
    ///
    /// let check = ClaimCheck::compile("claims.exp > now")?;
    /// let (result, cost) = check.measure(br#"{"exp":1700000060}"#, &Context { now: 1_700_000_000 });
    /// assert_eq!(result?, Value::Bool(true));
    /// assert_eq!(cost, 4); // claims, .exp, now, >
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn measure(&self, payload: &[u8], context: &Context) -> (Result<Value, EvalError>, u64) {
        let mut cost = 0;
        let result = self.on_payload(payload, |claims| {
            self.run_costed(claims, context, &mut cost, |item| item.to_value())
        });
        (result, cost)
    }

    /// [`ClaimCheck::measure`] by the tree interpreter: same values, same errors, same cost.
    pub fn measure_interpreted(
        &self,
        payload: &[u8],
        context: &Context,
    ) -> (Result<Value, EvalError>, u64) {
        let mut cost = 0;
        let result = self.on_payload(payload, |claims| {
            self.interpret_costed(claims, context, &[], &mut cost, |item| item.to_value())
        });
        (result, cost)
    }

    /// Decides by the tree interpreter about claims that [`ClaimCheck::bind`] of this check has read.
    ///
    /// # Errors
    /// As [`ClaimCheck::decide_on`].
    pub fn interpret_on(
        &self,
        claims: &BoundClaims<'_>,
        context: &Context,
    ) -> Result<bool, EvalError> {
        truth(self.interpret_item(self.own(claims)?, context, &[], as_truth)?)
    }

    /// The source text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What evaluates: `machine code`, or `interpreter (reason)`.
    #[must_use]
    pub fn engine(&self) -> String {
        match &self.code {
            Ok(_) => "machine code".to_owned(),
            Err(reason) => format!("interpreter ({reason})"),
        }
    }

    /// Size of the machine code in bytes; 0 when the interpreter works.
    #[must_use]
    pub fn code_size(&self) -> usize {
        self.code.as_ref().map_or(0, |code| code.bytes().len())
    }

    /// A listing of one of the stages.
    #[must_use]
    pub fn show(&self, what: Show) -> String {
        match (what, &self.code) {
            (Show::Ast, _) => self.ast.to_string(),
            (Show::Types, _) => {
                let types = node_types(&self.ast, &self.environment);
                self.ast
                    .with_notes(|node| types.get(node).map(Type::to_string))
            }
            (Show::Cost, _) => {
                let costs = worst_case(&self.folded, &self.plan, 4096);
                self.ast
                    .with_notes(|node| costs.get(node).map(u64::to_string))
            }
            (_, Err(reason)) => format!("no machine code here: {reason}\n"),
            (Show::Clif, Ok(_)) => jit::clif(&self.folded, &self.plan, self.counting),
            (Show::Vcode, Ok(_)) => jit::vcode(&self.folded, &self.plan, self.counting),
            (Show::Asm, Ok(code)) => code.disassembly(),
        }
    }

    /// Binds a payload in this thread's buffers.
    fn on_payload<T>(
        &self,
        payload: &[u8],
        evaluate: impl FnOnce(&Bound<'_>) -> Result<T, EvalError>,
    ) -> Result<T, EvalError> {
        thread_local! {
            static BUFFERS: RefCell<Buffers> = RefCell::default();
        }
        BUFFERS.with_borrow_mut(|buffers| evaluate(&self.bind(payload, buffers)?.0))
    }

    #[inline(always)]
    fn decide_bound(&self, claims: &Bound<'_>, context: &Context) -> Result<bool, EvalError> {
        if let Ok(code) = &self.code
            && let Some(truth) = code.decide(claims, context.now)
        {
            return Ok(truth);
        }
        self.explain_failure(claims, context)
    }

    /// Errors are told by evaluating once more: what has no decision need not be quick, and is evaluated the same way again.
    #[cold]
    fn explain_failure(&self, claims: &Bound<'_>, context: &Context) -> Result<bool, EvalError> {
        truth(self.run(claims, context, &[], as_truth)?)
    }

    /// Slots are numbered by check, so claims must have been read for this one.
    fn own<'b>(&self, claims: &'b BoundClaims<'_>) -> Result<&'b Bound<'b>, EvalError> {
        if ptr::eq(claims.0.paths(), &self.plan.paths) {
            Ok(&claims.0)
        } else {
            Err(EvalError::OtherCheck)
        }
    }

    /// Evaluates and hands the result to `finish` while what it borrows from is alive.
    fn run<T>(
        &self,
        claims: &Bound<'_>,
        context: &Context,
        variables: &[Option<Item<'_>>],
        finish: impl FnOnce(&Item<'_>) -> T,
    ) -> Result<T, EvalError> {
        self.run_code(&self.code, claims, context, variables, &mut 0, finish)
    }

    /// The same with code that counts.
    fn run_costed<T>(
        &self,
        claims: &Bound<'_>,
        context: &Context,
        cost: &mut u64,
        finish: impl FnOnce(&Item<'_>) -> T,
    ) -> Result<T, EvalError> {
        let measuring = || Code::compile(&self.folded, &self.plan, Counting::On);
        let code = match (&self.code, self.counting) {
            (Ok(_), Counting::Off) => self.measuring.get_or_init(measuring),
            (code, _) => code,
        };
        self.run_code(code, claims, context, &[], cost, finish)
    }

    fn interpret_item<T>(
        &self,
        claims: &Bound<'_>,
        context: &Context,
        variables: &[Option<Item<'_>>],
        finish: impl FnOnce(&Item<'_>) -> T,
    ) -> Result<T, EvalError> {
        self.interpret_costed(claims, context, variables, &mut 0, finish)
    }

    fn run_code<T>(
        &self,
        code: &Result<Code, jit::Unavailable>,
        claims: &Bound<'_>,
        context: &Context,
        variables: &[Option<Item<'_>>],
        cost: &mut u64,
        finish: impl FnOnce(&Item<'_>) -> T,
    ) -> Result<T, EvalError> {
        let finish = match code {
            Ok(code) => match code.run(claims, context.now, variables, cost, finish) {
                Ok(result) => return result.map_err(|fault| self.error(fault)),
                Err(finish) => finish,
            },
            Err(_) => finish,
        };
        self.interpret_costed(claims, context, variables, cost, finish)
    }

    fn interpret_costed<T>(
        &self,
        claims: &Bound<'_>,
        context: &Context,
        variables: &[Option<Item<'_>>],
        cost: &mut u64,
        finish: impl FnOnce(&Item<'_>) -> T,
    ) -> Result<T, EvalError> {
        let scene = Scene {
            ast: &self.folded,
            plan: &self.plan,
            claims,
            context: *context,
            variables,
        };
        let result = scene.node(self.ast.root(), cost, ());
        result
            .map(|item| finish(&item))
            .map_err(|fault| self.error(fault))
    }

    fn error(&self, fault: Fault) -> EvalError {
        EvalError::at(fault, &self.ast, &self.source)
    }
}

/// Whether code has to count: not if nothing limits the cost, nor if the worst case on the largest payload stays within the limit.
/// Values of variables are as large as their giver likes; and where functions are called, counting is no more than a trifle.
fn counting(ast: &Ast, plan: &Plan) -> Counting {
    let Some(limit) = plan.cost_limit else {
        return Counting::Off;
    };
    let calls = |id| match &ast[id].expr {
        Expr::Call {
            function, pattern, ..
        } => pattern.is_none() && !matches!(function.function, Function::Optional(_)),
        _ => false,
    };
    let worst = || worst_case(ast, plan, Limits::TOKEN.bytes as u64);
    if ast.names.is_empty() && !ast.ids().any(calls) && worst().last() <= Some(&limit) {
        Counting::Off
    } else {
        Counting::On
    }
}

/// What is known of an expression before any claims are there.
pub(crate) struct Analysis {
    ast: Ast,
    pub(crate) result_type: Type,
    /// Nodes that are ints, by number, as far as there are types.
    ints: Vec<bool>,
}

/// Parses and, unless the environment forbids it, checks.
pub(crate) fn analyse(source: &str, environment: &Environment) -> Result<Analysis, CompileError> {
    let ast = syntax::parse(source, environment).map_err(|error| error.with_source(source))?;
    let (result_type, ints) = match environment.checked {
        true => check(&ast, environment).map_err(|error| error.with_source(source))?,
        false => (Type::Dyn, Vec::new()),
    };
    Ok(Analysis {
        ast,
        result_type,
        ints,
    })
}

/// All of a payload, for who wants to see more than the expression reads.
fn everything<'b>(
    plan: &'b Plan,
    payload: &'b [u8],
    buffers: &'b mut Buffers,
) -> Result<Bound<'b>, EvalError> {
    let claims = plan.paths.bind(payload, &Limits::TOKEN, buffers)?;
    match claims.slots()[0].kind() {
        Slot::MAP => Ok(claims),
        _ => Err(EvalError::NotAnObject),
    }
}

fn truth(result: Result<bool, &'static str>) -> Result<bool, EvalError> {
    result.map_err(|actual| EvalError::NotBool { actual })
}

fn as_truth(item: &Item<'_>) -> Result<bool, &'static str> {
    match item {
        Item::Bool(truth) => Ok(*truth),
        other => Err(other.type_of().name()),
    }
}
