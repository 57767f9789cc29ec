//! Types while they are deduced: terms with variables, and what may stand where.
//!
//! The rules are those of the reference implementation (cel-go `checker/types.go`): a term is assignable to another if they
//! can be made equal by giving values to variables, where `dyn` equals everything.

use super::Type;
use crate::function::T;

/// A term of [`Terms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Term(u32);

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Simple(Type),
    List(Term),
    Map(Term, Term),
    Optional(Term),
    Type(Term),
    Opaque(String, Vec<Term>),
    Record(Vec<(String, Term)>),
    /// The number of a variable.
    Variable(u32),
}

macro_rules! simple {
    ($($name:ident = $number:literal $ty:ident,)*) => {
        $(pub(super) const $name: Term = Term($number);)*
        const SIMPLE: &[Type] = &[$(Type::$ty,)*];
    };
}

simple! {
    DYN = 0 Dyn,
    NULL = 1 Null,
    BOOL = 2 Bool,
    INT = 3 Int,
    UINT = 4 UInt,
    DOUBLE = 5 Double,
    STRING = 6 String,
    BYTES = 7 Bytes,
    TIMESTAMP = 8 Timestamp,
    DURATION = 9 Duration,
    IP = 10 Ip,
    CIDR = 11 Cidr,
}

/// `list(dyn)`, `map(dyn, dyn)`.
pub(super) const LIST: Term = Term(12);
pub(super) const MAP: Term = Term(13);

/// All terms of one check, and the values of their variables.
pub(super) struct Terms {
    nodes: Vec<Node>,
    values: Vec<Option<Term>>,
    /// Changes of `values`, so that a failed attempt can be taken back: variable and former value.
    trail: Vec<(u32, Option<Term>)>,
}

impl Terms {
    pub(super) fn new() -> Self {
        let mut nodes = Vec::with_capacity(48);
        nodes.extend(SIMPLE.iter().cloned().map(Node::Simple));
        nodes.push(Node::List(DYN));
        nodes.push(Node::Map(DYN, DYN));
        Self {
            nodes,
            values: Vec::new(),
            trail: Vec::new(),
        }
    }

    fn add(&mut self, node: Node) -> Term {
        self.nodes.push(node);
        Term(self.nodes.len() as u32 - 1)
    }

    pub(super) fn list(&mut self, element: Term) -> Term {
        self.add(Node::List(element))
    }

    pub(super) fn map(&mut self, key: Term, value: Term) -> Term {
        self.add(Node::Map(key, value))
    }

    pub(super) fn optional(&mut self, value: Term) -> Term {
        self.add(Node::Optional(value))
    }

    pub(super) fn type_of(&mut self, ty: Term) -> Term {
        self.add(Node::Type(ty))
    }

    pub(super) fn variable(&mut self) -> Term {
        self.values.push(None);
        self.add(Node::Variable(self.values.len() as u32 - 1))
    }

    /// A type from the table of functions, whose parameters are these variables.
    pub(super) fn of_table(&mut self, ty: &T, parameters: &mut [Option<Term>; 2]) -> Term {
        match ty {
            T::Dyn => DYN,
            T::Bool => BOOL,
            T::Int => INT,
            T::UInt => UINT,
            T::Double => DOUBLE,
            T::Str => STRING,
            T::Bytes => BYTES,
            T::Time => TIMESTAMP,
            T::Dur => DURATION,
            T::Ip => IP,
            T::Cidr => CIDR,
            T::A => *parameters[0].get_or_insert_with(|| self.variable()),
            T::B => *parameters[1].get_or_insert_with(|| self.variable()),
            T::List(element) => {
                let element = self.of_table(element, parameters);
                self.list(element)
            }
            T::Map(key, value) => {
                let key = self.of_table(key, parameters);
                let value = self.of_table(value, parameters);
                self.map(key, value)
            }
            T::Opt(value) => {
                let value = self.of_table(value, parameters);
                self.optional(value)
            }
            T::Type(ty) => {
                let ty = self.of_table(ty, parameters);
                self.type_of(ty)
            }
        }
    }

    /// A declared type; its parameters become variables, by name.
    pub(super) fn of_type(&mut self, ty: &Type, parameters: &mut Vec<(String, Term)>) -> Term {
        if let Some(place) = SIMPLE.iter().position(|simple| simple == ty) {
            return Term(place as u32);
        }
        match ty {
            Type::List(element) => {
                let element = self.of_type(element, parameters);
                self.list(element)
            }
            Type::Map(key, value) => {
                let key = self.of_type(key, parameters);
                let value = self.of_type(value, parameters);
                self.map(key, value)
            }
            Type::Optional(value) => {
                let value = self.of_type(value, parameters);
                self.optional(value)
            }
            Type::Type(ty) => {
                let ty = self.of_type(ty, parameters);
                self.type_of(ty)
            }
            Type::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, ty)| (name.clone(), self.of_type(ty, parameters)))
                    .collect();
                self.add(Node::Record(fields))
            }
            Type::Opaque(name, arguments) => {
                let arguments = arguments
                    .iter()
                    .map(|argument| self.of_type(argument, parameters))
                    .collect();
                self.add(Node::Opaque(name.clone(), arguments))
            }
            Type::Parameter(name) => {
                let known = parameters.iter().find(|(known, _)| known == name);
                if let Some((_, term)) = known {
                    return *term;
                }
                let term = self.variable();
                parameters.push((name.clone(), term));
                term
            }
            _ => DYN,
        }
    }

    /// The type that a term stands for; variables without a value are `dyn`.
    pub(super) fn to_type(&self, term: Term) -> Type {
        match self.node(self.resolve(term)) {
            Node::Simple(ty) => ty.clone(),
            Node::List(element) => Type::list(self.to_type(*element)),
            Node::Map(key, value) => Type::map(self.to_type(*key), self.to_type(*value)),
            Node::Optional(value) => Type::Optional(Box::new(self.to_type(*value))),
            Node::Type(ty) => Type::Type(Box::new(self.to_type(*ty))),
            Node::Record(fields) => Type::Record(
                fields
                    .iter()
                    .map(|(name, ty)| (name.clone(), self.to_type(*ty)))
                    .collect(),
            ),
            Node::Opaque(name, arguments) => Type::Opaque(
                name.clone(),
                arguments.iter().map(|term| self.to_type(*term)).collect(),
            ),
            Node::Variable(_) => Type::Dyn,
        }
    }

    fn node(&self, term: Term) -> &Node {
        &self.nodes[term.0 as usize]
    }

    /// The term without variables that have a value at its top.
    pub(super) fn resolve(&self, mut term: Term) -> Term {
        while let Node::Variable(number) = self.node(term)
            && let Some(value) = self.values[*number as usize]
        {
            term = value;
        }
        term
    }

    pub(super) fn is_variable(&self, term: Term) -> bool {
        matches!(self.node(self.resolve(term)), Node::Variable(_))
    }

    /// Gives an open variable the value `dyn`: what it will be used for is unknown.
    pub(super) fn settle(&mut self, term: Term) {
        let term = self.resolve(term);
        if let Node::Variable(number) = *self.node(term) {
            self.values[number as usize] = Some(DYN);
        }
    }

    pub(super) fn as_list(&self, term: Term) -> Option<Term> {
        match self.node(self.resolve(term)) {
            Node::List(element) => Some(*element),
            _ => None,
        }
    }

    pub(super) fn as_map(&self, term: Term) -> Option<(Term, Term)> {
        match self.node(self.resolve(term)) {
            Node::Map(key, value) => Some((*key, *value)),
            Node::Record(_) => Some((STRING, DYN)),
            _ => None,
        }
    }

    pub(super) fn as_optional(&self, term: Term) -> Option<Term> {
        match self.node(self.resolve(term)) {
            Node::Optional(value) => Some(*value),
            _ => None,
        }
    }

    /// The type of a field of a record; `dyn` for fields that are not known.
    pub(super) fn field(&self, term: Term, name: &str) -> Option<Term> {
        match self.node(self.resolve(term)) {
            Node::Record(fields) => {
                let field = fields.iter().find(|(known, _)| known == name);
                Some(field.map_or(DYN, |(_, ty)| *ty))
            }
            Node::Map(_, value) => Some(*value),
            _ => None,
        }
    }

    /// Whether a value of the first type may stand where the second is wanted. If not, no variable has changed.
    pub(super) fn assignable(&mut self, from: Term, to: Term) -> bool {
        let mark = self.trail.len();
        let fits = self.fits(from, to);
        if !fits {
            self.undo(mark);
        }
        fits
    }

    pub(super) fn mark(&self) -> usize {
        self.trail.len()
    }

    /// Takes back all values that variables got since a mark.
    pub(super) fn undo(&mut self, mark: usize) {
        while self.trail.len() > mark
            && let Some((number, before)) = self.trail.pop()
        {
            self.values[number as usize] = before;
        }
    }

    fn bind(&mut self, number: u32, value: Term) {
        self.trail.push((number, self.values[number as usize]));
        self.values[number as usize] = Some(value);
    }

    pub(super) fn fits(&mut self, from: Term, to: Term) -> bool {
        if from == to {
            return true;
        }
        if let Node::Variable(number) = *self.node(to) {
            match self.substitutes(from, to, number) {
                (true, _) => return true,
                (false, true) => return false,
                (false, false) => {}
            }
        }
        if let Node::Variable(number) = *self.node(from) {
            return self.substitutes(to, from, number).0;
        }
        if from == DYN || to == DYN {
            return true;
        }
        match (self.node(from).clone(), self.node(to).clone()) {
            (Node::Simple(Type::Null), other) | (other, Node::Simple(Type::Null)) => {
                let nullable = [Type::Null, Type::Timestamp, Type::Duration];
                match other {
                    Node::Simple(ty) => nullable.contains(&ty),
                    Node::Optional(_) | Node::Opaque(..) => true,
                    _ => false,
                }
            }
            (Node::Simple(a), Node::Simple(b)) => a == b,
            (Node::Type(_), Node::Type(_)) => true,
            (Node::List(a), Node::List(b)) | (Node::Optional(a), Node::Optional(b)) => {
                self.fits(a, b)
            }
            (Node::Map(a_key, a), Node::Map(b_key, b)) => {
                self.fits(a_key, b_key) && self.fits(a, b)
            }
            (Node::Record(_), Node::Record(_)) => true,
            (Node::Record(_), Node::Map(key, value)) => {
                self.fits(STRING, key) && self.fits(DYN, value)
            }
            (Node::Map(key, value), Node::Record(_)) => {
                self.fits(key, STRING) && self.fits(value, DYN)
            }
            (Node::Opaque(a_name, a), Node::Opaque(b_name, b)) => {
                a_name == b_name
                    && a.len() == b.len()
                    && a.into_iter().zip(b).all(|(a, b)| self.fits(a, b))
            }
            _ => false,
        }
    }

    /// Whether a term can be the value of a variable, and whether the variable had a value.
    fn substitutes(&mut self, term: Term, variable: Term, number: u32) -> (bool, bool) {
        if self.exact(term, variable) {
            return (true, true);
        }
        if let Some(value) = self.values[number as usize] {
            if self.exact(term, value) {
                return (true, true);
            }
            if !self.fits(term, value) {
                return (false, true);
            }
            let general = self.most_general(term, value);
            if !self.occurs(number, general) {
                self.bind(number, general);
            }
            return (true, true);
        }
        if self.occurs(number, term) {
            return (false, false);
        }
        self.bind(number, term);
        (true, false)
    }

    /// Whether two terms are the same, variables by their numbers.
    pub(super) fn exact(&self, a: Term, b: Term) -> bool {
        if a == b {
            return true;
        }
        match (self.node(a), self.node(b)) {
            (Node::List(a), Node::List(b))
            | (Node::Optional(a), Node::Optional(b))
            | (Node::Type(a), Node::Type(b)) => self.exact(*a, *b),
            (Node::Map(a_key, a), Node::Map(b_key, b)) => {
                self.exact(*a_key, *b_key) && self.exact(*a, *b)
            }
            (Node::Opaque(a_name, a), Node::Opaque(b_name, b)) => {
                a_name == b_name
                    && a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| self.exact(*a, *b))
            }
            (a, b) => a == b,
        }
    }

    /// Whether a variable is part of a term.
    fn occurs(&self, number: u32, term: Term) -> bool {
        match self.node(term) {
            Node::Variable(other) => {
                *other == number
                    || self.values[*other as usize].is_some_and(|value| self.occurs(number, value))
            }
            Node::Simple(_) => false,
            Node::List(inner) | Node::Optional(inner) | Node::Type(inner) => {
                self.occurs(number, *inner)
            }
            Node::Map(key, value) => self.occurs(number, *key) || self.occurs(number, *value),
            Node::Opaque(_, terms) => terms.iter().any(|term| self.occurs(number, *term)),
            Node::Record(fields) => fields.iter().any(|(_, term)| self.occurs(number, *term)),
        }
    }

    /// The type of what may be either: `dyn` if they have nothing in common.
    pub(super) fn join(&mut self, a: Term, b: Term) -> Term {
        if self.assignable(a, b) {
            // What null may stand for is known better by the other.
            match (self.resolve(a), self.resolve(b)) {
                (NULL, other) | (other, NULL) => other,
                _ => self.most_general(a, b),
            }
        } else {
            DYN
        }
    }

    fn most_general(&self, a: Term, b: Term) -> Term {
        if self.less_specific(a, b) { a } else { b }
    }

    fn less_specific(&self, a: Term, b: Term) -> bool {
        if a == DYN || matches!(self.node(a), Node::Variable(_)) {
            return true;
        }
        if b == DYN || matches!(self.node(b), Node::Variable(_)) {
            return false;
        }
        match (self.node(a), self.node(b)) {
            (Node::List(a), Node::List(b)) | (Node::Optional(a), Node::Optional(b)) => {
                self.less_specific(*a, *b)
            }
            (Node::Map(a_key, a), Node::Map(b_key, b)) => {
                self.less_specific(*a_key, *b_key) && self.less_specific(*a, *b)
            }
            (Node::Type(_), Node::Type(_)) => true,
            (Node::Opaque(a_name, a), Node::Opaque(b_name, b)) => {
                a_name == b_name && a.iter().zip(b).all(|(a, b)| self.less_specific(*a, *b))
            }
            _ => self.exact(a, b),
        }
    }

    /// The term with the values of its variables in their place.
    pub(super) fn substitute(&mut self, term: Term) -> Term {
        let term = self.resolve(term);
        match self.node(term).clone() {
            Node::Simple(_) | Node::Variable(_) | Node::Record(_) => term,
            Node::List(element) => {
                let inner = self.substitute(element);
                if inner == element {
                    term
                } else {
                    self.list(inner)
                }
            }
            Node::Optional(value) => {
                let inner = self.substitute(value);
                if inner == value {
                    term
                } else {
                    self.optional(inner)
                }
            }
            Node::Type(ty) => {
                let inner = self.substitute(ty);
                if inner == ty {
                    term
                } else {
                    self.type_of(inner)
                }
            }
            Node::Map(key, value) => {
                let (key, value) = (self.substitute(key), self.substitute(value));
                self.map(key, value)
            }
            Node::Opaque(name, terms) => {
                let terms = terms
                    .into_iter()
                    .map(|term| self.substitute(term))
                    .collect();
                self.add(Node::Opaque(name, terms))
            }
        }
    }
}
