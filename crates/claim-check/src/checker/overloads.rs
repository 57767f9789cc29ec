//! The overloads of operators (CEL specification, "List of Standard Definitions"). Those of functions are in their table.

use crate::function::{Overload, T, o};
use crate::syntax::ast::{BinaryOp, UnaryOp};
use T::*;

static ADD: &[Overload] = &[
    o(&[Int, Int], Int),
    o(&[UInt, UInt], UInt),
    o(&[Double, Double], Double),
    o(&[Str, Str], Str),
    o(&[Bytes, Bytes], Bytes),
    o(&[List(&A), List(&A)], List(&A)),
    o(&[Time, Dur], Time),
    o(&[Dur, Time], Time),
    o(&[Dur, Dur], Dur),
];
static SUBTRACT: &[Overload] = &[
    o(&[Int, Int], Int),
    o(&[UInt, UInt], UInt),
    o(&[Double, Double], Double),
    o(&[Time, Time], Dur),
    o(&[Time, Dur], Time),
    o(&[Dur, Dur], Dur),
];
static MULTIPLY: &[Overload] = &[
    o(&[Int, Int], Int),
    o(&[UInt, UInt], UInt),
    o(&[Double, Double], Double),
];
static MODULO: &[Overload] = &[o(&[Int, Int], Int), o(&[UInt, UInt], UInt)];
static EQUAL: &[Overload] = &[o(&[A, A], Bool)];
static ORDER: &[Overload] = &[
    o(&[Int, Int], Bool),
    o(&[Str, Str], Bool),
    o(&[Bool, Bool], Bool),
    o(&[UInt, UInt], Bool),
    o(&[Double, Double], Bool),
    o(&[Int, UInt], Bool),
    o(&[Int, Double], Bool),
    o(&[UInt, Int], Bool),
    o(&[UInt, Double], Bool),
    o(&[Double, Int], Bool),
    o(&[Double, UInt], Bool),
    o(&[Bytes, Bytes], Bool),
    o(&[Time, Time], Bool),
    o(&[Dur, Dur], Bool),
];
static IN: &[Overload] = &[o(&[A, List(&A)], Bool), o(&[A, Map(&A, &B)], Bool)];
static INDEX: &[Overload] = &[
    o(&[List(&A), Int], A),
    o(&[Map(&A, &B), A], B),
    o(&[Opt(&List(&A)), Int], Opt(&A)),
    o(&[Opt(&Map(&A, &B)), A], Opt(&B)),
];
static TEXT: &[Overload] = &[o(&[Str, Str], Bool)];
static NOT: &[Overload] = &[o(&[Bool], Bool)];
static NEGATE: &[Overload] = &[o(&[Int], Int), o(&[Double], Double)];
static SIZE: &[Overload] = &[
    o(&[Str], Int),
    o(&[Bytes], Int),
    o(&[List(&A)], Int),
    o(&[Map(&A, &B)], Int),
];

pub(crate) fn unary(op: UnaryOp) -> &'static [Overload] {
    match op {
        UnaryOp::Not => NOT,
        UnaryOp::Negate => NEGATE,
        UnaryOp::Size => SIZE,
    }
}

pub(crate) fn binary(op: BinaryOp) -> &'static [Overload] {
    match op {
        BinaryOp::Add => ADD,
        BinaryOp::Subtract => SUBTRACT,
        BinaryOp::Multiply | BinaryOp::Divide => MULTIPLY,
        BinaryOp::Modulo => MODULO,
        BinaryOp::Equal | BinaryOp::NotEqual => EQUAL,
        BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => ORDER,
        BinaryOp::In => IN,
        BinaryOp::Index => INDEX,
        BinaryOp::StartsWith | BinaryOp::EndsWith | BinaryOp::Contains => TEXT,
    }
}
