//! Owning and calling machine code.

use std::fmt::{self, Debug, Formatter};
use std::mem;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Module, ModuleError, default_libcall_names};
use stampmill_claims_json::Bound;
use thiserror::Error;

use super::codegen::{self, Lowered};
use super::listing::Listing;
use super::runtime::{self, Frame, Program, Slot, Unfinished};
use super::vcode::listing;
use crate::error::Fault;
use crate::item::Item;
use crate::slots::Plan;
use crate::syntax::ast::Ast;

/// Whether code counts what an evaluation costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    Off,
    On,
}

/// Why there is no machine code. Not an error: the interpreter does the work.
#[derive(Debug, Error)]
pub(crate) enum Unavailable {
    #[error("no code generator for this processor: {0}")]
    Host(String),
    #[error("no machine code was asked for")]
    NotWanted,
    #[error("the code generator gave up: {0}")]
    Module(#[from] Box<ModuleError>),
}

impl From<ModuleError> for Unavailable {
    fn from(error: ModuleError) -> Self {
        Unavailable::Module(Box::new(error))
    }
}

/// Frame, slots, elements of lists, time; the head of the result.
type Entry = for<'f, 'a> unsafe extern "C" fn(*mut Frame<'a>, *const Slot, *const Slot, i64) -> u64;

/// The machine code of one expression. Shared by threads (nothing in it changes), freed when dropped.
///
/// The function pointer never leaves this value, so no call can outlive the pages: a call borrows the `Code`.
pub(crate) struct Code {
    entry: Entry,
    /// Owns the pages. A module only gives them back when told to, see [`Drop`]; the mutex is never locked, it makes
    /// the type `Sync` although a module may not be used by two threads at once.
    module: Mutex<Option<JITModule>>,
    program: Program,
    listing: Listing,
}

impl Code {
    /// Translates an expression to code that counts its cost, or to code that does not.
    pub(crate) fn compile(
        ast: &Arc<Ast>,
        plan: &Arc<Plan>,
        counting: Counting,
    ) -> Result<Self, Unavailable> {
        let mut pages = Pages(Some(new_module()?));
        let module = pages.module();
        let Lowered {
            mut context,
            function,
            constants,
            sets,
            ..
        } = codegen::lower(ast, plan, counting, module)?;
        context.set_disasm(!cfg!(target_arch = "x86_64"));
        module.define_function(function, &mut context)?;
        // Now, not later: `clear_context` would leave nothing to list.
        let listing = Listing::new(&context, module);
        module.clear_context(&mut context);
        module.finalize_definitions()?;
        let address = module.get_finalized_function(function);
        // SAFETY: the address is that of the function defined above with the signature (i64, i64, i64, i64) -> i64 in the host's
        // default convention, which is what `Entry` is; its first parameter is the address of a frame. The pages are executable
        // since `finalize_definitions` and stay mapped as long as `pages`, later `module` of this value, keeps them.
        let entry = unsafe { mem::transmute::<*const u8, Entry>(address) };
        let constants = constants
            .into_iter()
            .filter_map(|id| runtime::constant(ast, id))
            .collect();
        Ok(Self {
            entry,
            module: Mutex::new(pages.0.take()),
            program: Program {
                ast: Arc::clone(ast),
                plan: Arc::clone(plan),
                constants,
                sets,
            },
            listing,
        })
    }

    /// Evaluates the expression and hands the result to `finish`; gives that back if the interpreter shall evaluate instead. The claims
    /// are those of the plan.
    pub(crate) fn run<T, F: FnOnce(&Item<'_>) -> T>(
        &self,
        claims: &Bound<'_>,
        now: i64,
        variables: &[Option<Item<'_>>],
        cost: &mut u64,
        finish: F,
    ) -> Result<Result<T, Fault>, F> {
        let mut frame = Frame::new(&self.program, claims, variables);
        let head = self.call(&mut frame, now);
        *cost = frame.total_cost();
        // SAFETY: the head is what that call returned. The item is dropped before the frame.
        match unsafe { frame.result(head) } {
            Ok(item) => Ok(Ok(finish(&item))),
            Err(Unfinished::Fault(fault)) => Ok(Err(fault)),
            Err(Unfinished::Retry) => Err(finish),
        }
    }

    /// Decides, if the result is a bool.
    #[inline]
    pub(crate) fn decide(&self, claims: &Bound<'_>, now: i64) -> Option<bool> {
        let mut frame = Frame::new(&self.program, claims, &[]);
        let head = self.call(&mut frame, now);
        frame.decision(head)
    }

    /// Calls the code with a frame that was made for it.
    #[inline(always)]
    fn call(&self, frame: &mut Frame<'_>, now: i64) -> u64 {
        let slots = frame.claims.slots().as_ptr();
        let elements = frame.claims.elements().as_ptr();
        // SAFETY: the pages are mapped while `self` is borrowed. The frame is laid out as the code expects it, holds the
        // constants that were numbered for this code and the tree it was made from (both callers make it of `self.program`), and
        // nothing else refers to it during the call. The claims, and so slots and elements, are borrowed by the frame.
        unsafe { (self.entry)(frame, slots, elements, now) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.listing.bytes()
    }

    pub(crate) fn disassembly(&self) -> String {
        self.listing.disassembly()
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        drop(Pages(
            self.module
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        ));
    }
}

impl Debug for Code {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("bytes", &self.bytes().len())
            .finish_non_exhaustive()
    }
}

/// A module whose pages are freed when this is dropped, also on the way out of a failed compilation.
struct Pages(Option<JITModule>);

impl Pages {
    fn module(&mut self) -> &mut JITModule {
        self.0
            .as_mut()
            .expect("taken out only by value, at the end of its use")
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: whoever drops this has either not called the code yet (compilation failed) or is `Code::drop`, which has
            // the only `&mut` to a value through which alone the code can be called: no call runs, none can follow.
            unsafe { module.free_memory() };
        }
    }
}

/// The intermediate representation of an expression, generated again: the text is long, and wanted by people only.
pub(crate) fn clif(ast: &Ast, plan: &Plan, counting: Counting) -> String {
    let lowered =
        new_module().and_then(|mut module| codegen::lower(ast, plan, counting, &mut module));
    match lowered {
        Ok(lowered) => lowered.clif(),
        Err(reason) => format!("no machine code here: {reason}\n"),
    }
}

/// The instructions after register allocation, generated again for the same reason. The module is freed without having run.
pub(crate) fn vcode(ast: &Ast, plan: &Plan, counting: Counting) -> String {
    let listed = || {
        let mut pages = Pages(Some(new_module()?));
        let Lowered {
            mut context,
            function,
            ..
        } = codegen::lower(ast, plan, counting, pages.module())?;
        context.set_disasm(true);
        pages.module().define_function(function, &mut context)?;
        Ok(listing(&context, pages.module()))
    };
    listed().unwrap_or_else(|reason: Unavailable| format!("no machine code here: {reason}\n"))
}

fn new_module() -> Result<JITModule, Unavailable> {
    let isa = host_isa()
        .as_ref()
        .map_err(|reason| Unavailable::Host(reason.clone()))?;
    let mut builder = JITBuilder::with_isa(Arc::clone(isa), default_libcall_names());
    for helper in runtime::helpers() {
        builder.symbol(helper.name, helper.address);
    }
    Ok(JITModule::new(builder))
}

/// The instruction set of this machine with the features it has, found out once.
fn host_isa() -> &'static Result<OwnedTargetIsa, String> {
    static ISA: OnceLock<Result<OwnedTargetIsa, String>> = OnceLock::new();
    ISA.get_or_init(|| {
        if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
            return Err("only x86-64 and aarch64 are supported".to_owned());
        }
        let mut flags = settings::builder();
        let verify = if cfg!(debug_assertions) {
            "true"
        } else {
            "false"
        };
        // The code generator folds what can be folded itself: Cranelift's optimizer takes a third of the time that compiling takes,
        // and the code is not faster for it (crates/rivals/benches/claim_check.rs).
        // The last two are what `JITBuilder::with_flags` sets: code and helpers may lie far apart.
        for (name, value) in [
            ("opt_level", "none"),
            ("enable_verifier", verify),
            ("use_colocated_libcalls", "false"),
            ("is_pic", "false"),
        ] {
            flags.set(name, value).map_err(|error| error.to_string())?;
        }
        cranelift_native::builder()?
            .finish(settings::Flags::new(flags))
            .map_err(|error| error.to_string())
    })
}
