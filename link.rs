//! How the release program is linked; nothing else is built here (`build.rs` beside it assembles `asm/` for crates/modexp).
//!
//! A program that may lie at any address has a list of the places where an address has to be set right when it starts. Here these are 50,000 and
//! more, 24 bytes each, which are read at every start and then stay in memory. `DT_RELR` holds the same list in a hundredth of the space, for
//! dynamic linkers that know it: glibc's from 2.36 on. What is linked so refuses to start with an older one, hence the question
//! which one is here. The dev profile, which is linked much oftener than it is started by people in a hurry, stays as it is.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=link.rs");
    if is("PROFILE", "release")
        && made_for_this_machine()
        && glibc().is_some_and(|version| version >= (2, 36))
    {
        // a linker that does not know the word says so and goes on
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

fn made_for_this_machine() -> bool {
    is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && env::var_os("HOST") == env::var_os("TARGET")
}

fn is(variable: &str, value: &str) -> bool {
    env::var(variable).is_ok_and(|found| found == value)
}

/// `glibc 2.36`, says getconf.
fn glibc() -> Option<(u32, u32)> {
    let answer = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    let answer = String::from_utf8(answer.stdout).ok()?;
    let (major, minor) = answer.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
