//! A type for every node.

use super::overloads;
use super::terms::{
    BOOL, BYTES, CIDR, DOUBLE, DURATION, DYN, INT, IP, LIST, MAP, NULL, STRING, TIMESTAMP, Term,
    Terms, UINT,
};
use super::{Type, schema};
use crate::diagnostic::{CompileError, CompileErrorKind};
use crate::environment::Environment;
use crate::function::{Function, Overload, Signature};
use crate::item::Item;
use crate::math::Math;
use crate::network::Network;
use crate::optional::Optional;
use crate::syntax::ast::{Ast, BinaryOp, Comprehension, Expr, Fold, NodeId, Variable};
use crate::types::TypeName;

/// Checks an expression: its type, and which nodes are ints by number.
pub(crate) fn check(ast: &Ast, env: &Environment) -> Result<(Type, Vec<bool>), CompileError> {
    let (checker, result) = checked(ast, env)?;
    let ints = checker.types.iter().map(|term| *term == INT).collect();
    Ok((checker.terms.to_type(result), ints))
}

/// The type of each node, by its number; `dyn` for an expression that has no types.
pub(crate) fn node_types(ast: &Ast, env: &Environment) -> Vec<Type> {
    let all = |(checker, _): (Checker<'_>, Term)| {
        let types = checker.types.iter();
        types.map(|term| checker.terms.to_type(*term)).collect()
    };
    checked(ast, env).map_or_else(|_| vec![Type::Dyn; ast.len()], all)
}

fn checked<'a>(ast: &'a Ast, env: &'a Environment) -> Result<(Checker<'a>, Term), CompileError> {
    let mut checker = Checker {
        ast,
        env,
        terms: Terms::new(),
        types: vec![DYN; ast.len()],
        locals: Vec::new(),
        errors: Vec::new(),
    };
    let result = checker.node(ast.root());
    match CompileError::of(std::mem::take(&mut checker.errors)) {
        Some(error) => Err(error),
        None => Ok((checker, result)),
    }
}

struct Checker<'a> {
    ast: &'a Ast,
    env: &'a Environment,
    terms: Terms,
    types: Vec<Term>,
    /// Types of the macros' variables, from outside.
    locals: Vec<Term>,
    errors: Vec<CompileError>,
}

impl Checker<'_> {
    /// The type of a node: `dyn` after an error, so that one fault is told once.
    fn node(&mut self, id: NodeId) -> Term {
        let term = self.deduce(id);
        let term = if self.ast[id].dynamic { DYN } else { term };
        self.types[id.number() as usize] = term;
        term
    }

    fn deduce(&mut self, id: NodeId) -> Term {
        let ast = self.ast;
        match &ast[id].expr {
            Expr::Literal(item) => self.literal(item),
            Expr::Variable(Variable::Claims) => self.terms.map(STRING, DYN),
            Expr::Variable(Variable::Now) => INT,
            Expr::Local { depth, .. } => self.locals[*depth],
            Expr::Named { name, .. } => match self.env.type_of_variable(name) {
                Some(ty) => self.terms.of_type(ty, &mut Vec::new()),
                None => DYN,
            },
            Expr::Unresolved { name, arguments } => {
                let arguments: Vec<_> = arguments.iter().map(|id| self.node(*id)).collect();
                self.declared(id, name, &arguments)
            }
            Expr::Select { operand, field } => self.select(id, *operand, field),
            Expr::Has { operand, field } => {
                self.select(id, *operand, field);
                BOOL
            }
            Expr::Unary { op, operand } => {
                let operand = self.node(*operand);
                self.resolve(id, op.symbol(), overloads::unary(*op), &[operand])
            }
            Expr::Binary { op, left, right } => self.binary(id, *op, *left, *right),
            Expr::Logic { operands, .. } => {
                for operand in operands {
                    self.condition(*operand);
                }
                BOOL
            }
            Expr::Conditional { condition, yes, no } => {
                self.condition(*condition);
                let (yes, no) = (self.node(*yes), self.node(*no));
                let result = self.terms.variable();
                if self.terms.assignable(yes, result) && self.terms.assignable(no, result) {
                    return self.terms.substitute(result);
                }
                self.no_overload(id, "? :", &[yes, no])
            }
            Expr::List { elements, constant } => {
                if let (Some(constant), true) = (constant, elements.is_empty())
                    && !constant.is_empty()
                {
                    return self.terms.list(INT);
                }
                let element = self.joined(elements.iter());
                self.terms.list(element)
            }
            Expr::Map { entries, .. } => {
                let key = self.joined(entries.iter().step_by(2));
                let value = self.joined(entries.iter().skip(1).step_by(2));
                self.terms.map(key, value)
            }
            Expr::Bind {
                depth, value, body, ..
            } => {
                let value = self.node(*value);
                self.locals.truncate(*depth);
                self.locals.push(value);
                let body = self.node(*body);
                self.locals.truncate(*depth);
                body
            }
            Expr::Call {
                function,
                arguments,
                ..
            } => self.call(id, function, arguments),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn literal(&mut self, item: &Item<'_>) -> Term {
        match item {
            Item::Null => NULL,
            Item::Bool(_) => BOOL,
            Item::Int(_) => INT,
            Item::UInt(_) => UINT,
            Item::Double(_) => DOUBLE,
            Item::String(_) => STRING,
            Item::Bytes(_) => BYTES,
            Item::Timestamp(_) => TIMESTAMP,
            Item::Duration(_) => DURATION,
            Item::Network(Network::Ip(_)) => IP,
            Item::Network(Network::Cidr(_)) => CIDR,
            Item::Type(name) => {
                let ty = match name {
                    TypeName::Bool => BOOL,
                    TypeName::Bytes => BYTES,
                    TypeName::Double => DOUBLE,
                    TypeName::Duration => DURATION,
                    TypeName::Int => INT,
                    TypeName::Ip => IP,
                    TypeName::Cidr => CIDR,
                    TypeName::List => LIST,
                    TypeName::Map => MAP,
                    TypeName::Null => NULL,
                    TypeName::String => STRING,
                    TypeName::Timestamp => TIMESTAMP,
                    TypeName::UInt => UINT,
                    TypeName::Optional => self.terms.optional(DYN),
                    TypeName::Meta => self.terms.type_of(DYN),
                };
                self.terms.type_of(ty)
            }
            Item::List(_) => LIST,
            Item::Map(_) => MAP,
            Item::Optional(_) => self.terms.optional(DYN),
        }
    }

    /// What all of some nodes are; an open variable if there are none.
    fn joined<'n>(&mut self, mut nodes: impl Iterator<Item = &'n NodeId>) -> Term {
        let Some(first) = nodes.next() else {
            return self.terms.variable();
        };
        let mut joined = self.node(*first);
        for node in nodes {
            let term = self.node(*node);
            joined = self.terms.join(joined, term);
        }
        joined
    }

    fn condition(&mut self, id: NodeId) {
        let condition = self.node(id);
        if !self.terms.assignable(condition, BOOL) {
            let ty = self.terms.to_type(condition).to_string();
            self.report(id, CompileErrorKind::NotBool(ty));
        }
    }

    /// `operand.field`: of a map, of an optional map, of `claims` by the schema.
    fn select(&mut self, id: NodeId, operand: NodeId, field: &str) -> Term {
        let operand_type = self.node(operand);
        if self.is_claims(operand) {
            return self.claim(field);
        }
        self.field(id, operand_type, field)
    }

    fn field(&mut self, id: NodeId, operand: Term, field: &str) -> Term {
        if let Some(inner) = self.terms.as_optional(operand) {
            let field = self.field(id, inner, field);
            return match self.terms.as_optional(field) {
                Some(_) => field,
                None => self.terms.optional(field),
            };
        }
        if let Some(field) = self.terms.field(operand, field) {
            return field;
        }
        let operand = self.terms.resolve(operand);
        if self.terms.is_variable(operand) {
            self.terms.settle(operand);
            return DYN;
        }
        if operand != DYN {
            let ty = self.terms.to_type(operand).to_string();
            self.report(id, CompileErrorKind::NoFields(ty));
        }
        DYN
    }

    fn is_claims(&self, id: NodeId) -> bool {
        matches!(self.ast[id].expr, Expr::Variable(Variable::Claims)) && !self.ast[id].dynamic
    }

    fn claim(&mut self, name: &str) -> Term {
        match self.env.type_of_claim(name) {
            Some(ty) => self.terms.of_type(&ty, &mut Vec::new()),
            None => DYN,
        }
    }

    fn binary(&mut self, id: NodeId, op: BinaryOp, left: NodeId, right: NodeId) -> Term {
        let types = [self.node(left), self.node(right)];
        if op == BinaryOp::Index
            && self.is_claims(left)
            && let Expr::Literal(Item::String(name)) = &self.ast[right].expr
        {
            return self.claim(name);
        }
        let quick = match (op, types) {
            (_, [INT, INT]) => match op {
                BinaryOp::Add
                | BinaryOp::Subtract
                | BinaryOp::Multiply
                | BinaryOp::Divide
                | BinaryOp::Modulo => Some(INT),
                BinaryOp::In
                | BinaryOp::Index
                | BinaryOp::StartsWith
                | BinaryOp::EndsWith
                | BinaryOp::Contains => None,
                _ => Some(BOOL),
            },
            (BinaryOp::Equal | BinaryOp::NotEqual, [a, b]) if a == b || a == DYN || b == DYN => {
                Some(BOOL)
            }
            _ => None,
        };
        if let Some(result) = quick {
            return result;
        }
        let before = self.errors.len();
        let result = self.resolve(id, op.symbol(), overloads::binary(op), &types);
        if self.errors.len() > before
            && let Some(error) = self.errors.pop()
        {
            let help = self.hint(op, left, right, types);
            self.errors.push(match help {
                Some(help) => error.with_help(help),
                None => error,
            });
        }
        result
    }

    /// What people mean who write an operator with the wrong types.
    fn hint(&self, op: BinaryOp, left: NodeId, right: NodeId, types: [Term; 2]) -> Option<String> {
        let text = |id: NodeId| match &self.ast[id].expr {
            Expr::Select { operand, field } if self.is_claims(*operand) => {
                Some(format!("claims.{field}"))
            }
            _ => None,
        };
        let numbers = [INT, UINT, DOUBLE];
        match op {
            BinaryOp::In if types == [STRING, STRING] => Some(match text(right) {
                Some(claim) if claim == "claims.scope" => {
                    "`scope` is one string with spaces: split it, `\"a\" in claims.scope.split(\" \")`".to_owned()
                }
                _ => "for a part of a string use `contains()`".to_owned(),
            }),
            BinaryOp::Equal | BinaryOp::NotEqual if self.terms.as_list(types[0]).is_some() => {
                text(left).map(|claim| format!("`{claim}` is a list: use `in`"))
            }
            BinaryOp::Equal | BinaryOp::NotEqual if types.iter().all(|ty| numbers.contains(ty)) => Some(
                "convert one with int(), uint() or double(); dyn() on one side compares them as numbers"
                    .to_owned(),
            ),
            BinaryOp::Equal | BinaryOp::NotEqual => Some(
                "values of these types are never equal; dyn() on one side compares them all the same"
                    .to_owned(),
            ),
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide
                if types.iter().all(|ty| numbers.contains(ty)) =>
            {
                Some("arithmetic does not mix types: convert one with int(), uint() or double()".to_owned())
            }
            _ => None,
        }
    }

    fn call(&mut self, id: NodeId, function: &'static Signature, arguments: &[NodeId]) -> Term {
        let types: Vec<_> = arguments.iter().map(|id| self.node(*id)).collect();
        match (function.function, arguments) {
            (Function::Optional(Optional::Select), [operand, field]) => {
                let Expr::Literal(Item::String(name)) = &self.ast[*field].expr else {
                    return DYN;
                };
                let selected = if self.is_claims(*operand) {
                    self.claim(name)
                } else {
                    self.field(id, types[0], name)
                };
                match self.terms.as_optional(selected) {
                    Some(_) if self.terms.as_optional(types[0]).is_some() => selected,
                    _ => self.terms.optional(selected),
                }
            }
            (Function::Optional(Optional::List), [literal, places]) => {
                self.without_absent(*literal, *places)
            }
            (Function::Optional(Optional::Map), [literal, places]) => {
                self.map_without_absent(*literal, *places)
            }
            // Of a list, the type of its elements; of elements of several types, any.
            (Function::Math(Math::Greatest | Math::Least), _)
                if let Some(element) = self.terms.as_list(types[0]) =>
            {
                let element = self.terms.resolve(element);
                if [INT, UINT, DOUBLE, DYN].contains(&element) {
                    return element;
                }
                self.no_overload(id, function.name, &types)
            }
            _ => self.resolve(id, function.name, function.overloads, &types),
        }
    }

    /// The type of an element of a literal: of an optional one, what it holds.
    fn element(&mut self, id: NodeId, optional: bool) -> Term {
        let term = self.types[id.number() as usize];
        if !optional {
            return term;
        }
        let value = self.terms.variable();
        let wanted = self.terms.optional(value);
        if !self.terms.assignable(term, wanted) {
            return self.no_overload(id, "?", &[term]);
        }
        self.terms.substitute(value)
    }

    fn places(&self, places: NodeId) -> Vec<usize> {
        match &self.ast[places].expr {
            Expr::List {
                constant: Some(places),
                ..
            } => places
                .iter()
                .filter_map(|place| match place {
                    Item::Int(place) => usize::try_from(*place).ok(),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    fn without_absent(&mut self, literal: NodeId, places: NodeId) -> Term {
        let optional = self.places(places);
        let ast = self.ast;
        let Expr::List { elements, .. } = &ast[literal].expr else {
            return DYN;
        };
        let mut joined = None;
        for (place, element) in elements.iter().enumerate() {
            let term = self.element(*element, optional.contains(&place));
            joined = Some(joined.map_or(term, |before| self.terms.join(before, term)));
        }
        let element = joined.unwrap_or(DYN);
        self.terms.list(element)
    }

    fn map_without_absent(&mut self, literal: NodeId, places: NodeId) -> Term {
        let optional = self.places(places);
        let ast = self.ast;
        let Expr::List { elements, .. } = &ast[literal].expr else {
            return DYN;
        };
        let (mut key, mut value) = (None, None);
        for (place, entry) in elements.chunks_exact(2).enumerate() {
            let key_type = self.types[entry[0].number() as usize];
            let value_type = self.element(entry[1], optional.contains(&place));
            key = Some(key.map_or(key_type, |before| self.terms.join(before, key_type)));
            value = Some(value.map_or(value_type, |before| self.terms.join(before, value_type)));
        }
        self.terms.map(key.unwrap_or(DYN), value.unwrap_or(DYN))
    }

    fn comprehension(&mut self, comprehension: &Comprehension) -> Term {
        let range = self.node(comprehension.range);
        let range = self.terms.resolve(range);
        let two = comprehension.variables.len() == 2;
        let (key, element) = if let Some(element) = self.terms.as_list(range) {
            (if two { INT } else { element }, element)
        } else if let Some((key, value)) = self.terms.as_map(range) {
            (key, value)
        } else {
            if self.terms.is_variable(range) {
                self.terms.settle(range);
            } else if range != DYN {
                let ty = self.terms.to_type(range).to_string();
                self.report(comprehension.range, CompileErrorKind::NotIterable(ty));
            }
            (DYN, DYN)
        };
        let depth = comprehension.depth;
        self.locals.truncate(depth);
        self.locals.push(key);
        if two {
            self.locals.push(element);
        }
        if let Some(filter) = comprehension.filter {
            self.condition(filter);
        }
        let result = match comprehension.fold {
            Fold::All | Fold::Exists | Fold::ExistsOne => {
                self.condition(comprehension.step);
                BOOL
            }
            Fold::List => {
                let step = self.node(comprehension.step);
                self.terms.list(step)
            }
            Fold::Map => {
                let step = self.node(comprehension.step);
                self.terms.map(key, step)
            }
        };
        self.locals.truncate(depth);
        result
    }

    /// The result of the overloads that take these types: `dyn` if several do and do not agree.
    fn resolve(
        &mut self,
        id: NodeId,
        name: &str,
        overloads: &'static [Overload],
        arguments: &[Term],
    ) -> Term {
        let mut result: Option<Term> = None;
        for overload in overloads {
            if overload.arguments.len() != arguments.len() {
                continue;
            }
            let mut parameters = [None; 2];
            let mark = self.terms.mark();
            let fits = arguments
                .iter()
                .zip(overload.arguments)
                .all(|(term, wanted)| {
                    let wanted = self.terms.of_table(wanted, &mut parameters);
                    self.terms.fits(*term, wanted)
                });
            if !fits {
                self.terms.undo(mark);
                continue;
            }
            let overload = self.terms.of_table(&overload.result, &mut parameters);
            let overload = self.terms.substitute(overload);
            result = Some(self.either(result, overload));
        }
        result.unwrap_or_else(|| self.no_overload(id, name, arguments))
    }

    fn either(&self, before: Option<Term>, term: Term) -> Term {
        match before {
            Some(before) if !self.terms.exact(before, term) => DYN,
            _ => term,
        }
    }

    /// A call of a function that is declared.
    fn declared(&mut self, id: NodeId, name: &str, arguments: &[Term]) -> Term {
        let Some(function) = self.env.declared_function(name) else {
            return DYN;
        };
        let mut result = None;
        for overload in &function.overloads {
            if overload.arguments.len() != arguments.len() {
                continue;
            }
            let mut parameters = Vec::new();
            let mark = self.terms.mark();
            let fits = arguments
                .iter()
                .zip(&overload.arguments)
                .all(|(term, wanted)| {
                    let wanted = self.terms.of_type(wanted, &mut parameters);
                    self.terms.fits(*term, wanted)
                });
            if !fits {
                self.terms.undo(mark);
                continue;
            }
            let overload = self.terms.of_type(&overload.result, &mut parameters);
            let overload = self.terms.substitute(overload);
            result = Some(self.either(result, overload));
        }
        result.unwrap_or_else(|| self.no_overload(id, name, arguments))
    }

    fn no_overload(&mut self, id: NodeId, name: &str, arguments: &[Term]) -> Term {
        let types: Vec<_> = arguments
            .iter()
            .map(|term| self.terms.to_type(*term).to_string())
            .collect();
        let error = CompileErrorKind::NoMatchingOverload {
            function: name.to_owned(),
            arguments: types.join(", "),
        };
        self.report(id, error);
        DYN
    }

    fn report(&mut self, id: NodeId, kind: CompileErrorKind) {
        let error = kind.at(self.ast[id].span.clone());
        // Nobody reads more.
        if self.errors.len() < crate::limits::MAX_ERRORS {
            self.errors.push(error);
        }
    }
}

/// Whether the schema says that access tokens and ID tokens always have a claim.
pub(super) fn is_required(name: &str) -> bool {
    schema::registered(name).is_some_and(|claim| claim.required)
}
