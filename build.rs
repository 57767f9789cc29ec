//! Assembles and compiles what is in `asm/` for `crates/modexp` (which names this file as its build script).
//!
//! Objects and the archive go to `OUT_DIR` and nowhere else. The crate sees the result as `cfg(stampmill_asm)`;
//! without it (another architecture, an object format that is not ELF, or `STAMPMILL_NO_ASM=1`) it uses Rust alone.

use std::env;
use std::io::ErrorKind;
use std::process::{Stdio, exit};

/// Every file that is built.
const SOURCES: [&str; 7] = [
    "tutorial.s",
    "tutorial.c",
    "montgomery_mul.S",
    "montgomery_adx.S",
    "montgomery_ifma.S",
    "montgomery_ifma_x2.S",
    "montgomery_ifma_x8.S",
];

/// What they include.
const HEADERS: [&str; 1] = ["kernel.h"];

/// The directives in `asm/` (`.type`, `.size`, `.note.GNU-stack`) are ELF's, so Intel Macs and Windows take the Rust engine.
const ELF_SYSTEMS: [&str; 8] = [
    "linux",
    "android",
    "freebsd",
    "netbsd",
    "openbsd",
    "dragonfly",
    "illumos",
    "solaris",
];

fn main() {
    println!("cargo::rustc-check-cfg=cfg(stampmill_asm)");
    println!("cargo::rerun-if-env-changed=STAMPMILL_NO_ASM");
    println!("cargo::rerun-if-changed=../../build.rs");
    for source in SOURCES.iter().chain(&HEADERS) {
        println!("cargo::rerun-if-changed=../../asm/{source}");
    }
    if !assembly_wanted() {
        return;
    }

    // As ring does: symbols carry crate and version, so that two versions of the crate can be linked into one program.
    let version =
        env::var("CARGO_PKG_VERSION").expect("Cargo sets CARGO_PKG_VERSION for build scripts");
    let prefix = format!(
        "stampmill_modexp_{}_",
        version.replace(['.', '-', '+'], "_")
    );
    let mut build = cc::Build::new();
    build
        .define("STAMPMILL_PREFIX", prefix.as_str())
        .files(SOURCES.map(|source| format!("../../asm/{source}")))
        .warnings(true);

    if !compiler_starts(&build) {
        fail(
            "no C compiler was found to assemble stampmill's asm/ folder: install one (Debian/Ubuntu: apt install gcc; \
             Fedora: dnf install gcc; macOS: xcode-select --install), or build without assembly by setting STAMPMILL_NO_ASM=1",
        );
    }
    if let Err(error) = build.try_compile("stampmill_asm") {
        fail(&format!(
            "assembling stampmill's asm/ folder failed ({error}); STAMPMILL_NO_ASM=1 builds without assembly"
        ));
    }
    println!("cargo::rustc-cfg=stampmill_asm");
    println!("cargo::rustc-env=STAMPMILL_ASM_PREFIX={prefix}");
}

fn assembly_wanted() -> bool {
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let switched_off =
        env::var("STAMPMILL_NO_ASM").is_ok_and(|value| !value.is_empty() && value != "0");
    !switched_off
        && target("ARCH") == "x86_64"
        && target("POINTER_WIDTH") == "64"
        && ELF_SYSTEMS.contains(&target("OS").as_str())
}

/// `cc` names a compiler even where none is installed; only starting it tells.
fn compiler_starts(build: &cc::Build) -> bool {
    let Ok(compiler) = build.try_get_compiler() else {
        return false;
    };
    let started = compiler
        .to_command()
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    !matches!(started, Err(error) if error.kind() == ErrorKind::NotFound)
}

fn fail(sentence: &str) -> ! {
    println!("cargo::error={sentence}");
    exit(1);
}
