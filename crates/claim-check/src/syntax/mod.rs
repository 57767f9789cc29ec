//! From text to tree: lexer, Pratt parser, abstract syntax tree.

pub(crate) mod ast;
mod lexer;
mod literal;
mod macros;
mod names;
mod parser;
mod print;

pub(crate) use lexer::{Piece, pieces};
#[cfg(test)]
pub(crate) use names::syntax_names;
pub(crate) use parser::parse;
