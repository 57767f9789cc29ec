//! Proofs that the processor has what a kernel is written for.
//!
//! A value of one of these types can only come from `detect`, which asks the processor (CPUID, and the operating system's
//! word that it keeps the registers). A kernel that holds one may call its routine.

#[cfg(stampmill_asm)]
use std::{env, fs, sync::OnceLock};

/// The processor has BMI2 (`mulx`) and ADX (`adcx`, `adox`), and this build has the assembly.
#[derive(Clone, Copy)]
pub(crate) struct MulxAdx(());

impl MulxAdx {
    #[cfg(stampmill_asm)]
    pub(crate) fn detect() -> Option<MulxAdx> {
        let adx = is_x86_feature_detected!("adx") || adx_hidden_by_valgrind();
        (is_x86_feature_detected!("bmi2") && adx).then_some(MulxAdx(()))
    }

    #[cfg(not(stampmill_asm))]
    pub(crate) fn detect() -> Option<MulxAdx> {
        None
    }
}

/// The processor has AVX-512F, AVX-512 IFMA (`vpmadd52luq`, `vpmadd52huq`) and BMI2, the system keeps the vector registers,
/// and this build has the assembly.
#[derive(Clone, Copy)]
pub(crate) struct Ifma52(());

impl Ifma52 {
    #[cfg(stampmill_asm)]
    pub(crate) fn detect() -> Option<Ifma52> {
        let vectors = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
        (vectors && is_x86_feature_detected!("bmi2")).then_some(Ifma52(()))
    }

    #[cfg(not(stampmill_asm))]
    pub(crate) fn detect() -> Option<Ifma52> {
        None
    }
}

/// valgrind runs `adcx` and `adox`, but answers CPUID in the processor's place and leaves ADX out. Then, and only then, the
/// operating system's list of features counts; the constant-time tests need it. Asked once a process.
#[cfg(stampmill_asm)]
fn adx_hidden_by_valgrind() -> bool {
    static HIDDEN: OnceLock<bool> = OnceLock::new();
    *HIDDEN.get_or_init(|| {
        let valgrind = env::var("LD_PRELOAD").is_ok_and(|list| list.contains("vgpreload_"));
        valgrind && fs::read_to_string("/proc/cpuinfo").is_ok_and(|list| lists_adx(&list))
    })
}

#[cfg(stampmill_asm)]
fn lists_adx(cpuinfo: &str) -> bool {
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"));
    flags.is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "adx"))
}
