//! `stampmill doctor`: what this machine has, and what follows from it.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stampmill_modexp::Engine;

use crate::print::Printer;

/// The port `serve` listens on unless told otherwise.
const DEFAULT_PORT: u16 = 8443;

/// Programs the build needs, and how to ask each for its version.
const TOOLS: &[(&str, &str)] = &[
    ("cargo", "--version"),
    ("rustc", "--version"),
    ("cc", "--version"),
    ("perl", "-v"),
    ("make", "--version"),
];

pub(crate) fn run(out: Printer) -> anyhow::Result<()> {
    let mut fields = vec![
        ("stampmill", json!(env!("CARGO_PKG_VERSION"))),
        ("architecture", json!(std::env::consts::ARCH)),
        ("processor_features", json!(processor_features())),
        ("engines", json!(engines())),
        ("engine_in_use", engine_in_use()),
        (
            "assembly_lessons",
            json!(stampmill_modexp::tutorial::AVAILABLE),
        ),
        ("build", json!(build_profile())),
    ];
    fields.extend(
        TOOLS
            .iter()
            .map(|(tool, flag)| (*tool, version(tool, flag))),
    );
    fields.push(("port_8443", json!(port_state(DEFAULT_PORT))));
    out.fields(&fields);
    // Whatever else is in order: with an engine that does not exist nothing will run.
    Engine::preferred()?;
    Ok(())
}

/// Architecture and features in a few words: `x86_64 bmi2 adx`.
pub(crate) fn processor_summary() -> String {
    let mut words = vec![std::env::consts::ARCH];
    words.extend(processor_features());
    words.join(" ")
}

/// The features the engines ask about, as far as this processor has them.
fn processor_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        [
            ("bmi2", std::is_x86_feature_detected!("bmi2")),
            ("adx", std::is_x86_feature_detected!("adx")),
            ("avx512ifma", std::is_x86_feature_detected!("avx512ifma")),
        ]
        .into_iter()
        .filter_map(|(name, present)| present.then_some(name))
        .collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        Vec::new()
    }
}

fn engines() -> Vec<&'static str> {
    Engine::available().into_iter().map(Engine::name).collect()
}

fn engine_in_use() -> Value {
    match Engine::preferred() {
        Ok(engine) => json!(engine.name()),
        Err(error) => json!(error.to_string()),
    }
}

fn build_profile() -> &'static str {
    if cfg!(debug_assertions) {
        "dev (for measurements use --release)"
    } else {
        "release"
    }
}

/// The first line with a digit of what the tool says of itself, or null if it is not there.
fn version(tool: &str, flag: &str) -> Value {
    let output = Command::new(tool)
        .arg(flag)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else {
        return Value::Null;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| line.contains(|character: char| character.is_ascii_digit()));
    json!(line)
}

fn port_state(port: u16) -> &'static str {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => "free",
        Err(_) => "in use: give serve another with --listen",
    }
}
