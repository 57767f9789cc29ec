//! As many exponentiations at once as a kernel has lanes.

use std::sync::OnceLock;

use crate::cpu::Ifma52;
use crate::field::{Constants, Field};
use crate::ifma_x2::IfmaX2;
use crate::ifma_x8::IfmaX8;
use crate::kernel::{Kernel, MAX_LANES};
use crate::limbs::{Limb, Number};

/// A modulus's constants for the kernels of several lanes, whose `R` is not that of the kernels for a single number; each
/// computed when it is needed for the first time.
#[derive(Default)]
pub(crate) struct LaneConstants {
    two: OnceLock<Constants>,
    eight: OnceLock<Constants>,
}

/// A kernel of several lanes.
pub(crate) trait LaneKernel: Kernel {
    /// The kernel for moduli of this many limbs, if there is one.
    fn for_limbs(cpu: Ifma52, limbs: usize) -> Option<Self>;

    /// Where a modulus keeps its constants for this kernel.
    fn cell(constants: &LaneConstants) -> &OnceLock<Constants>;
}

impl LaneKernel for IfmaX2 {
    fn for_limbs(cpu: Ifma52, limbs: usize) -> Option<IfmaX2> {
        IfmaX2::for_limbs(cpu, limbs)
    }

    fn cell(constants: &LaneConstants) -> &OnceLock<Constants> {
        &constants.two
    }
}

impl LaneKernel for IfmaX8 {
    fn for_limbs(cpu: Ifma52, limbs: usize) -> Option<IfmaX8> {
        IfmaX8::for_limbs(cpu, limbs)
    }

    fn cell(constants: &LaneConstants) -> &OnceLock<Constants> {
        &constants.eight
    }
}

/// One exponentiation: `base ^ exponent mod n`, `base` below `n`.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    /// Of the modulus, for the kernel's `R`.
    pub(crate) constants: &'a Constants,
    pub(crate) base: &'a [Limb],
    pub(crate) exponent: &'a [u8],
}

/// The powers of one to `K::LANES` tasks with as many limbs and exponents as long; lanes that are left compute the first
/// task again.
pub(crate) fn pow<K: Kernel>(kernel: K, tasks: &[Task<'_>]) -> Vec<Number> {
    let lanes = Lanes::new(kernel, tasks);
    let exponents: [&[u8]; MAX_LANES] = lanes.each(|task| task.exponent);
    let mut work = lanes.field.workspace();
    let base = lanes.field.enter(&lanes.bases(), &mut work);
    let power = lanes.field.pow(&base, &exponents[..K::LANES], &mut work);
    lanes.results(lanes.field.leave(power, &mut work))
}

/// The powers for one small public exponent.
pub(crate) fn pow_small<K: Kernel>(kernel: K, tasks: &[Task<'_>], exponent: u64) -> Vec<Number> {
    let lanes = Lanes::new(kernel, tasks);
    let mut work = lanes.field.workspace();
    lanes.results(lanes.field.pow_small(&lanes.bases(), exponent, &mut work))
}

struct Lanes<'a, K> {
    tasks: &'a [Task<'a>],
    field: Field<K>,
}

impl<'a, K: Kernel> Lanes<'a, K> {
    fn new(kernel: K, tasks: &'a [Task<'a>]) -> Lanes<'a, K> {
        assert!((1..=K::LANES).contains(&tasks.len()));
        let constants: [&Constants; MAX_LANES] = each(tasks, |task| task.constants);
        Lanes {
            tasks,
            field: Field::new(kernel, &constants[..K::LANES]),
        }
    }

    fn each<T>(&self, part: impl Fn(&'a Task<'a>) -> T) -> [T; MAX_LANES] {
        each(self.tasks, part)
    }

    fn bases(&self) -> Number {
        let bases: [&[Limb]; MAX_LANES] = self.each(|task| task.base);
        self.field.in_form(&bases[..K::LANES])
    }

    fn results(&self, value: Number) -> Vec<Number> {
        self.tasks
            .iter()
            .enumerate()
            .map(|(lane, task)| self.field.take(&value, lane, &task.constants.n))
            .collect()
    }
}

/// A part of every task, and of the first one where there are fewer tasks than lanes.
fn each<'a, T>(tasks: &'a [Task<'a>], part: impl Fn(&'a Task<'a>) -> T) -> [T; MAX_LANES] {
    std::array::from_fn(|lane| part(tasks.get(lane).unwrap_or(&tasks[0])))
}
