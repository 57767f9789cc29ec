//! From intermediate code to a function that can be called, and back to free memory.
//!
//! Generated code can do anything, so calling it is `unsafe` in general. It is sound here because [`permitted`] lets through
//! only instructions that touch neither memory nor anything else: integer arithmetic, comparisons, jumps, and calls of one
//! Rust function whose type is known. Types are checked by Cranelift's verifier.

use std::marker::PhantomData;

use anyhow::{Context as _, bail, ensure};
use cranelift_codegen::ir::{
    AbiParam, Block, FuncRef, Function, Opcode, Type, UserFuncName, types,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};

/// A Rust function that generated code may call.
pub(super) type Callback = extern "C" fn(i64) -> i64;

/// The types of functions that the lessons compile.
pub(super) trait Shape: Copy {
    /// Types of the parameters.
    const PARAMETERS: &'static [Type];
    /// Type of the result.
    const RESULT: Type;

    /// # Safety
    /// At the address is a function of this shape in the host's C convention; it stays there as long as the result is used.
    unsafe fn from_address(address: *const u8) -> Self;
}

impl Shape for extern "C" fn(i32, i32) -> i32 {
    const PARAMETERS: &'static [Type] = &[types::I32, types::I32];
    const RESULT: Type = types::I32;

    unsafe fn from_address(address: *const u8) -> Self {
        // SAFETY: the contract of the trait's function.
        unsafe { std::mem::transmute(address) }
    }
}

impl Shape for extern "C" fn(i64) -> i64 {
    const PARAMETERS: &'static [Type] = &[types::I64];
    const RESULT: Type = types::I64;

    unsafe fn from_address(address: *const u8) -> Self {
        // SAFETY: the contract of the trait's function.
        unsafe { std::mem::transmute(address) }
    }
}

/// This machine as a target of the compiler.
pub(crate) struct Machine {
    isa: OwnedTargetIsa,
}

impl Machine {
    /// Asks the processor what it can do. The error says why Cranelift has no code generator for it.
    pub(crate) fn host() -> Result<Self, String> {
        let mut flags = settings::builder();
        for (name, value) in [
            ("opt_level", "speed"),
            ("enable_verifier", "true"),
            ("use_colocated_libcalls", "false"),
            ("is_pic", "false"),
        ] {
            flags.set(name, value).map_err(|error| error.to_string())?;
        }
        let isa = cranelift_native::builder()?
            .finish(settings::Flags::new(flags))
            .map_err(|error| error.to_string())?;
        Ok(Self { isa })
    }

    /// Compiles a function whose body `build` writes, from its entry block on.
    pub(super) fn compile<F: Shape>(
        &self,
        name: &str,
        build: impl FnOnce(&mut FunctionBuilder<'_>, Block, Option<FuncRef>),
    ) -> anyhow::Result<Native<F>> {
        self.compile_with(name, None, build)
    }

    /// The same, for a body that may call a Rust function.
    pub(super) fn compile_with<F: Shape>(
        &self,
        name: &str,
        callback: Option<Callback>,
        build: impl FnOnce(&mut FunctionBuilder<'_>, Block, Option<FuncRef>),
    ) -> anyhow::Result<Native<F>> {
        let mut builder = JITBuilder::with_isa(self.isa.clone(), default_libcall_names());
        if let Some(callback) = callback {
            builder.symbol("callback", callback as *const u8);
        }
        let mut owner = Owner(Some(JITModule::new(builder)));
        let module = owner.0.as_mut().context("the module was just put there")?;
        let mut context = module.make_context();
        context.func.signature.params = F::PARAMETERS.iter().map(|ty| AbiParam::new(*ty)).collect();
        context.func.signature.returns = vec![AbiParam::new(F::RESULT)];
        let id = module.declare_function(name, Linkage::Export, &context.func.signature)?;
        context.func.name = UserFuncName::user(0, id.as_u32());
        let callback = match callback {
            None => None,
            Some(_) => {
                let mut signature = module.make_signature();
                signature.params = vec![AbiParam::new(types::I64)];
                signature.returns = vec![AbiParam::new(types::I64)];
                let callback = module.declare_function("callback", Linkage::Import, &signature)?;
                Some(module.declare_func_in_func(callback, &mut context.func))
            }
        };

        let mut builder_context = FunctionBuilderContext::new();
        let mut builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        build(&mut builder, entry, callback);
        builder.seal_all_blocks();
        builder.finalize(module.target_config());
        permitted(&context.func)?;

        // Now: `define_function` optimizes the function, `clear_context` empties it.
        let clif = context.func.display().to_string();
        module.define_function(id, &mut context)?;
        let bytes = context
            .compiled_code()
            .context("just compiled")?
            .code_buffer()
            .to_vec();
        module.clear_context(&mut context);
        let clif_after_clear = context.func.display().to_string();
        // Until here the pages are writable, from here on executable; never both.
        module.finalize_definitions()?;
        let address = module.get_finalized_function(id);
        // SAFETY: the function at the address was compiled with the signature that `F` stands for, in the host's default
        // convention, which is `extern "C"`; `owner` keeps it there as long as the `Native` lives.
        let function = unsafe { F::from_address(address) };
        Ok(Native {
            function,
            address: address as usize,
            clif,
            clif_after_clear,
            bytes,
            owner,
            shape: PhantomData,
        })
    }
}

/// Refuses bodies with instructions that could do harm.
fn permitted(function: &Function) -> anyhow::Result<()> {
    use Opcode::*;
    for block in function.layout.blocks() {
        for instruction in function.layout.block_insts(block) {
            let opcode = function.dfg.insts[instruction].opcode();
            if !matches!(
                opcode,
                Iadd | Isub | Imul | Iconst | Icmp | Brif | Jump | Return | Call
            ) {
                bail!("the lessons do not generate `{opcode}`");
            }
        }
    }
    // `Call` reaches only functions that were declared, and the one that can be is the callback.
    ensure!(
        function.dfg.ext_funcs.len() <= 1,
        "only the callback may be called"
    );
    Ok(())
}

/// A function in machine code, with what there is to show about it. The memory is freed when it is dropped.
pub(crate) struct Native<F> {
    /// Never given out, so that no call can outlive the memory.
    function: F,
    address: usize,
    /// The intermediate code, as generated.
    pub(super) clif: String,
    /// The same, printed when it is too late.
    pub(super) clif_after_clear: String,
    /// The machine code, before addresses are filled in.
    pub(crate) bytes: Vec<u8>,
    #[expect(dead_code, reason = "kept for its Drop, which frees the memory")]
    owner: Owner,
    shape: PhantomData<F>,
}

impl Native<extern "C" fn(i32, i32) -> i32> {
    pub(crate) fn call(&self, a: i32, b: i32) -> i32 {
        (self.function)(a, b)
    }
}

impl Native<extern "C" fn(i64) -> i64> {
    pub(super) fn call(&self, n: i64) -> i64 {
        (self.function)(n)
    }
}

impl<F> Native<F> {
    /// Permissions of the page that holds the code, where the system tells: `r-x`.
    pub(super) fn permissions(&self) -> Option<String> {
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        maps.lines().find_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let address = |text| usize::from_str_radix(text, 16).ok();
            let inside = (address(start)?..address(end)?).contains(&self.address);
            inside.then(|| rest.chars().take(3).collect())
        })
    }
}

/// A module whose memory is freed with it; by itself a module would keep it for ever.
struct Owner(Option<JITModule>);

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: the functions of the module are called through the `Native` that owns this, which is being dropped, or
            // were never called because compilation failed.
            unsafe { module.free_memory() };
        }
    }
}
