//! From intermediate code to a function that can be called, and back to free memory.
//!
//! Generated code can do anything, so calling it is `unsafe` in general. It is sound here because [`permitted`] lets through
//! only instructions that touch neither memory nor anything else: integer arithmetic, comparisons, jumps, and calls of one
//! Rust function whose type is known. Types are checked by Cranelift's verifier.

use std::marker::PhantomData;

use anyhow::{Context as _, bail, ensure};
use cranelift_codegen::ir::{
    AbiParam, Block, FuncRef, Function, Opcode, Signature, Type, UserFuncName, types,
};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, default_libcall_names};

/// A Rust function that generated code may call.
pub(super) type Callback = extern "C" fn(i64) -> i64;

/// A name that generated code may call, and what is behind it.
pub(super) struct Symbol {
    /// What the body calls it.
    pub(super) name: &'static str,
    /// Where it is.
    pub(super) address: *const u8,
    /// Of what type the body takes it to be. Nobody compares that with the truth.
    pub(super) signature: Signature,
}

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

    /// Parameters and a result in the convention of this machine's C compiler, which is that of `extern "C"`.
    pub(super) fn signature(&self, parameters: &[Type], result: Type) -> Signature {
        self.signature_in(self.isa.default_call_conv(), parameters, result)
    }

    /// The same in another convention.
    pub(super) fn signature_in(
        &self,
        convention: CallConv,
        parameters: &[Type],
        result: Type,
    ) -> Signature {
        let mut signature = Signature::new(convention);
        signature.params = parameters.iter().map(|ty| AbiParam::new(*ty)).collect();
        signature.returns = vec![AbiParam::new(result)];
        signature
    }

    /// What an address is to this machine's instructions.
    pub(super) fn pointer(&self) -> Type {
        self.isa.pointer_type()
    }

    /// The target, for lessons that go through the compiler's steps themselves.
    pub(super) fn isa(&self) -> &OwnedTargetIsa {
        &self.isa
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
        let signature = self.signature(F::PARAMETERS, F::RESULT);
        let symbol = callback.map(|callback| Symbol {
            name: "callback",
            address: callback as *const u8,
            signature: self.signature(&[types::I64], types::I64),
        });
        let code = self.generate_if(name, signature, symbol, permitted, build)?;
        // SAFETY: the function at the address was compiled with the signature that `F` stands for, in the host's default
        // convention, which is `extern "C"`; `code` keeps it there as long as the `Native` lives.
        let function = unsafe { F::from_address(code.address()) };
        Ok(Native {
            function,
            code,
            shape: PhantomData,
        })
    }

    /// Compiles any body of any type. Who calls it must know what it does.
    pub(super) fn generate(
        &self,
        name: &str,
        signature: Signature,
        symbol: Option<Symbol>,
        build: impl FnOnce(&mut FunctionBuilder<'_>, Block, Option<FuncRef>),
    ) -> anyhow::Result<Generated> {
        self.generate_if(name, signature, symbol, |_| Ok(()), build)
    }

    fn generate_if(
        &self,
        name: &str,
        signature: Signature,
        symbol: Option<Symbol>,
        permitted: impl FnOnce(&Function) -> anyhow::Result<()>,
        build: impl FnOnce(&mut FunctionBuilder<'_>, Block, Option<FuncRef>),
    ) -> anyhow::Result<Generated> {
        let mut builder = JITBuilder::with_isa(self.isa.clone(), default_libcall_names());
        if let Some(symbol) = &symbol {
            builder.symbol(symbol.name, symbol.address);
        }
        let mut owner = Owner::new(JITModule::new(builder));
        let module = owner.module()?;
        let mut context = module.make_context();
        context.func.signature = signature;
        let id = module.declare_function(name, Linkage::Export, &context.func.signature)?;
        context.func.name = UserFuncName::user(0, id.as_u32());
        let callee = match symbol {
            None => None,
            Some(symbol) => {
                let id =
                    module.declare_function(symbol.name, Linkage::Import, &symbol.signature)?;
                Some(module.declare_func_in_func(id, &mut context.func))
            }
        };

        let mut builder_context = FunctionBuilderContext::new();
        let mut builder = FunctionBuilder::new(&mut context.func, &mut builder_context);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        build(&mut builder, entry, callee);
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
        let address = module.get_finalized_function(id) as usize;
        Ok(Generated {
            address,
            clif,
            clif_after_clear,
            bytes,
            owner,
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

/// A function in machine code that can be called. The memory is freed when it is dropped.
pub(crate) struct Native<F> {
    /// Never given out, so that no call can outlive the memory.
    function: F,
    /// What there is to show about it.
    pub(crate) code: Generated,
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

/// Machine code in memory, which is freed when this is dropped.
pub(crate) struct Generated {
    address: usize,
    /// The intermediate code, as generated.
    pub(super) clif: String,
    /// The same, printed when it is too late.
    pub(super) clif_after_clear: String,
    /// The machine code, before addresses are filled in.
    pub(crate) bytes: Vec<u8>,
    #[expect(dead_code, reason = "kept for its Drop, which frees the memory")]
    owner: Owner,
}

impl Generated {
    /// Where the code is. Mapped as long as this lives.
    pub(super) fn address(&self) -> *const u8 {
        self.address as *const u8
    }

    /// The machine code as it lies in memory, addresses filled in.
    pub(super) fn in_memory(&self) -> &[u8] {
        // SAFETY: the module has put that many bytes there; its pages are readable and stay so while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.address(), self.bytes.len()) }
    }

    /// Permissions of the page that holds the code, where the system tells: `r-x`.
    pub(super) fn permissions(&self) -> Option<String> {
        permissions_at(&memory_map()?, self.address)
    }
}

/// The mappings of this process, where the system tells.
pub(super) fn memory_map() -> Option<String> {
    std::fs::read_to_string("/proc/self/maps").ok()
}

/// Permissions of an address in a map of the memory: `r-x`; nothing if nothing is mapped there.
pub(super) fn permissions_at(maps: &str, address: usize) -> Option<String> {
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let parse = |text| usize::from_str_radix(text, 16).ok();
        let inside = (parse(start)?..parse(end)?).contains(&address);
        inside.then(|| rest.chars().take(3).collect())
    })
}

/// A module whose memory is freed with it; by itself a module would keep it for ever.
///
/// Who calls its functions keeps this alive meanwhile.
pub(super) struct Owner(Option<JITModule>);

impl Owner {
    pub(super) fn new(module: JITModule) -> Self {
        Self(Some(module))
    }

    pub(super) fn module(&mut self) -> anyhow::Result<&mut JITModule> {
        self.0.as_mut().context("taken out only when dropped")
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: the functions of the module are called through the `Native` or by the lesson that owns this, which is being
            // dropped, or were never called because compilation failed.
            unsafe { module.free_memory() };
        }
    }
}
