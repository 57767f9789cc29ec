//! What an expression may refer to: variables with their types, functions, the container, the claims' schema.

use std::borrow::Cow;

use crate::check::{Context, analyse};
use crate::checker::Type;
use crate::checker::schema;
use crate::diagnostic::CompileError;
use crate::function::Signature;
use crate::limits::COST_LIMIT;
use crate::syntax::ast::Variable;
use crate::types::TypeName;
use crate::value::Value;

/// What an expression may refer to, and how it is compiled.
///
/// [`Environment::claims`] is what [`ClaimCheck::compile`](crate::ClaimCheck::compile) uses: `claims`, `now` and nothing else.
///
/// ```
/// use stampmill_claim_check::{Bindings, ClaimCheck, Environment, Type, Value};
///
/// let environment = Environment::claims()
///     .claim("tenant", Type::String)
///     .variable("request.path", Type::String);
/// let source = "request.path.startsWith('/' + claims.tenant)";
/// let check = ClaimCheck::compile_in(source, &environment)?;
/// let bindings = Bindings::new(br#"{"tenant":"t1"}"#, 0)
///     .variable("request.path", Value::String("/t1/files".to_owned()));
/// assert_eq!(check.evaluate_with(&bindings)?, Value::Bool(true));
///
/// let error = ClaimCheck::compile_in("claims.tenant + 1", &environment).unwrap_err();
/// assert!(error.to_string().starts_with("error: no matching overload for `+` applied to (string, int)"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Environment {
    container: Box<str>,
    variables: Vec<(Box<str>, Type)>,
    functions: Vec<FunctionDeclaration>,
    /// Whether `claims` and `now` are there.
    claims: bool,
    /// Claims that are declared beside the registered ones.
    schema: Vec<(Box<str>, Type)>,
    pub(crate) checked: bool,
    pub(crate) macros: bool,
    pub(crate) cost_limit: Option<u64>,
}

/// A function that is known by its types only. An expression that calls it can be checked; evaluating the call is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionDeclaration {
    /// As calls name it.
    pub name: String,
    /// The types it takes and gives.
    pub overloads: Vec<OverloadDeclaration>,
}

/// One overload of a [`FunctionDeclaration`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverloadDeclaration {
    /// The types of the arguments; of a method the receiver's is the first.
    pub arguments: Vec<Type>,
    /// The type of the result.
    pub result: Type,
    /// Whether it is called as `receiver.name(...)`.
    pub method: bool,
}

/// What a name stands for.
pub(crate) enum Meaning {
    Variable(Variable),
    Named(Box<str>),
    Type(TypeName),
}

impl Environment {
    /// `claims` with the schema of registered claims (RFC 7519, RFC 9068, OpenID Connect Core §5.1), and `now`.
    #[must_use]
    pub fn claims() -> Self {
        Self {
            claims: true,
            ..Self::empty()
        }
    }

    /// No variables at all.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            container: "".into(),
            variables: Vec::new(),
            functions: Vec::new(),
            claims: false,
            schema: Vec::new(),
            checked: true,
            macros: true,
            cost_limit: Some(COST_LIMIT),
        }
    }

    /// Declares a variable that gets its value from [`Bindings`]; its name may be qualified (`request.path`).
    #[must_use]
    pub fn variable(mut self, name: &str, ty: Type) -> Self {
        self.variables.retain(|(known, _)| **known != *name);
        self.variables.push((name.into(), ty));
        self
    }

    /// Declares a claim, or another type for a registered one.
    #[must_use]
    pub fn claim(mut self, name: &str, ty: Type) -> Self {
        self.schema.retain(|(known, _)| **known != *name);
        self.schema.push((name.into(), ty));
        self
    }

    /// Declares a function for the checker.
    #[must_use]
    pub fn function(mut self, declaration: FunctionDeclaration) -> Self {
        self.functions.push(declaration);
        self
    }

    /// The namespace in which names are looked up first: in `a.b`, `c` is `a.b.c`, else `a.c`, else `c`.
    #[must_use]
    pub fn container(mut self, container: &str) -> Self {
        self.container = container.into();
        self
    }

    /// Without the checker: types show when the expression is evaluated, names without a meaning too.
    #[must_use]
    pub fn unchecked(mut self) -> Self {
        self.checked = false;
        self
    }

    /// Without macros: `has`, `all` and the others are functions, and there are none of these names.
    #[must_use]
    pub fn without_macros(mut self) -> Self {
        self.macros = false;
        self
    }

    /// What an evaluation may cost ([`COST_LIMIT`] unless this is said); nothing for "whatever it costs".
    #[must_use]
    pub fn cost_limit(mut self, limit: Option<u64>) -> Self {
        self.cost_limit = limit;
        self
    }

    /// Full names that a name may stand for, the first choice first.
    pub(crate) fn candidates<'n>(
        &'n self,
        name: &'n str,
        rooted: bool,
    ) -> impl Iterator<Item = Cow<'n, str>> {
        let container = if rooted { "" } else { &self.container };
        let mut rest = (!container.is_empty()).then_some(container);
        let qualified = std::iter::from_fn(move || {
            let prefix = rest?;
            rest = prefix.rsplit_once('.').map(|(outer, _)| outer);
            Some(Cow::Owned(format!("{prefix}.{name}")))
        });
        qualified.chain([Cow::Borrowed(name)])
    }

    /// What a full name stands for.
    pub(crate) fn meaning(&self, name: &str) -> Option<Meaning> {
        if self.claims
            && let Some(variable) = Variable::ALL.into_iter().find(|v| v.name() == name)
        {
            return Some(Meaning::Variable(variable));
        }
        if self.variables.iter().any(|(known, _)| **known == *name) {
            return Some(Meaning::Named(name.into()));
        }
        TypeName::by_name(name).map(Meaning::Type)
    }

    /// Whether a name may be the beginning of a longer one, so that it has to be looked at as a whole.
    pub(crate) fn may_be_qualified(&self, name: &str) -> bool {
        let begins = |full: &str| {
            full.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        !self.container.is_empty()
            || self.variables.iter().any(|(full, _)| begins(full))
            || self.functions.iter().any(|function| begins(&function.name))
    }

    pub(crate) fn type_of_variable(&self, name: &str) -> Option<&Type> {
        let variable = self.variables.iter().find(|(known, _)| **known == *name);
        variable.map(|(_, ty)| ty)
    }

    /// The type of a claim, of a registered or a declared one.
    pub(crate) fn type_of_claim(&self, name: &str) -> Option<Cow<'_, Type>> {
        let declared = self.schema.iter().find(|(known, _)| **known == *name);
        match declared {
            Some((_, ty)) => Some(Cow::Borrowed(ty)),
            None => schema::registered(name).map(|claim| Cow::Owned(claim.ty.to_type())),
        }
    }

    /// The names of all claims that have a declared type.
    pub(crate) fn known_claims(&self) -> impl Iterator<Item = &str> {
        let declared = self.schema.iter().map(|(name, _)| &**name);
        declared.chain(schema::names().map(|name| -> &str { name }))
    }

    pub(crate) fn declared_function(&self, name: &str) -> Option<&FunctionDeclaration> {
        self.functions.iter().find(|function| function.name == name)
    }

    /// Whether a full name is that of a function.
    pub(crate) fn is_function(&self, name: &str) -> bool {
        Signature::global(name).is_some() || self.declared_function(name).is_some()
    }

    /// Parses and checks an expression without compiling it, and gives its type.
    ///
    /// # Errors
    /// [`CompileError`] as from [`ClaimCheck::compile_in`](crate::ClaimCheck::compile_in).
    pub fn check(&self, source: &str) -> Result<Type, CompileError> {
        analyse(source, self).map(|analysis| analysis.result_type)
    }

    pub(crate) fn variable_names(&self) -> impl Iterator<Item = &str> {
        let own = self.variables.iter().map(|(name, _)| &**name);
        let claims = self.claims.then(|| Variable::ALL.map(Variable::name));
        own.chain(claims.into_iter().flatten())
    }
}

/// The values of one evaluation: payload, time, and the variables that the [`Environment`] declares.
#[derive(Clone, Debug)]
pub struct Bindings<'b> {
    pub(crate) payload: &'b [u8],
    pub(crate) context: Context,
    pub(crate) variables: Vec<(&'b str, Value)>,
}

impl<'b> Bindings<'b> {
    /// The payload (UTF-8 JSON) as `claims`, and `now` in seconds since the epoch.
    #[must_use]
    pub fn new(payload: &'b [u8], now: i64) -> Self {
        Self {
            payload,
            context: Context { now },
            variables: Vec::new(),
        }
    }

    /// The value of a variable. Values of variables that the expression does not read are passed over.
    #[must_use]
    pub fn variable(mut self, name: &'b str, value: Value) -> Self {
        self.variables.push((name, value));
        self
    }
}
