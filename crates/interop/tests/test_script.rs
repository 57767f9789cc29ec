//! Proves that `./test` counts honestly: failures, harnesses that die, absent tools. Cargo and npm are stand-ins that print what
//! the case says.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const ALL_GOOD: &str = r#"
case "$*" in
    *"--no-fail-fast") echo "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s"
                       echo "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s" ;;
esac
"#;

#[test]
fn harness_lines_and_steps_are_added_up() {
    let run = run(&["core"], ALL_GOOD, "");
    assert_eq!(
        run.last_line, "13 passed, 0 failed, 1 skipped",
        "{}",
        run.output
    );
    assert_eq!(run.code, 0);
}

#[test]
fn a_failed_test_fails_the_run() {
    let cargo = r#"
        [ "$1" != test ] || {
            echo "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
            exit 101
        }
    "#;
    let run = run(&["core"], cargo, "");
    assert_eq!(
        (run.last_line.as_str(), run.code),
        ("6 passed, 2 failed, 0 skipped", 1),
        "{}",
        run.output
    );
}

/// Of a long run, people and CI see the end.
#[test]
fn what_failed_is_shown_once_more_at_the_end() {
    let cargo = r#"
        echo "cargo $1: many lines"
        [ "$1 $2" != "fmt --all" ] || exit 1
        [ "$1" != test ] || {
            echo "test good ... ok"
            echo "failures:"
            echo "---- bad ----"
            echo "expected 1, got 2"
            echo "test result: FAILED. 5 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
            exit 101
        }
    "#;
    let run = run(&["core"], cargo, "");
    let (_, end) = run.output.split_once("==== failed: formatting\n").unwrap();
    let (formatting, tests) = end.split_once("==== failed: tests").unwrap();
    assert!(formatting.contains("cargo fmt: many lines"), "{end}");
    assert!(
        tests.contains("---- bad ----\nexpected 1, got 2\n"),
        "{end}"
    );
    assert!(!tests.contains("test good ... ok"), "{end}");
    assert!(!tests.contains("test result: FAILED"), "{end}");
}

#[test]
fn a_run_that_dies_without_a_failed_test_is_a_failure() {
    let cargo = r#"[ "$1" != test ] || { echo "error: could not compile"; exit 101; }"#;
    let run = run(&["core"], cargo, "");
    assert_eq!(
        (run.last_line.as_str(), run.code),
        ("1 passed, 1 failed, 0 skipped", 1),
        "{}",
        run.output
    );
}

#[test]
fn an_absent_tool_is_named_and_skipped_never_passed() {
    let cargo = r#"[ "$1" != clippy ] || exit 101"#;
    let run = run(&["outside"], cargo, "");
    assert!(
        run.output
            .contains("SKIPPED clippy: cargo clippy is absent"),
        "{}",
        run.output
    );
    assert_eq!(
        (run.last_line.as_str(), run.code),
        ("2 passed, 0 failed, 1 skipped", 0),
        "{}",
        run.output
    );
}

#[test]
fn an_absent_tool_is_a_failure_where_tools_are_installed() {
    let cargo = r#"[ "$1" != clippy ] || exit 101"#;
    let run = run(&["outside", "--install"], cargo, "");
    // Three steps install, two build.
    assert_eq!(
        (run.last_line.as_str(), run.code),
        ("5 passed, 1 failed, 0 skipped", 1),
        "{}",
        run.output
    );
}

#[test]
fn an_install_that_fails_is_a_failure() {
    let run = run(&["outside", "--install"], "", "exit 1");
    assert_eq!(
        (run.last_line.as_str(), run.code),
        ("5 passed, 1 failed, 0 skipped", 1),
        "{}",
        run.output
    );
}

/// The programs of a Python environment hold absolute paths: one that was moved with its folder is there, and does not run.
#[test]
fn an_environment_whose_programs_do_not_run_is_made_anew() {
    let made = |certbot: &str| {
        let scripts = [
            ("python3", r#"[ "$2" != venv ] || echo "made: $*""#),
            ("judges/venv/bin/certbot", certbot),
            ("judges/venv/bin/python3", r#"echo "packages: $*""#),
        ];
        let output = run_with(&["outside", "--install"], &scripts).output;
        let begins = |line: &&str| line.starts_with("made: ") || line.starts_with("packages: ");
        output.lines().filter(begins).count()
    };
    assert_eq!(made(""), 0);
    assert_eq!(made("exit 126"), 2);
}

#[test]
fn the_outside_stage_tells_tests_what_to_expect() {
    let cargo = r#"[ "$1" != test ] || echo "saw $STAMPMILL_OUTSIDE/$STAMPMILL_OUTSIDE_REQUIRED/$STAMPMILL_NO_ASM""#;
    let output = run(&["all", "--install"], cargo, "").output;
    let seen: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with("saw "))
        .collect();
    assert_eq!(seen, ["saw later/1/", "saw 1/1/", "saw 1/1/", "saw 1/1/1"]);
}

#[test]
fn an_unknown_argument_runs_nothing() {
    let run = run(&["cor"], "", "");
    assert_eq!(run.code, 2);
    assert!(run.last_line.ends_with("nothing failed."), "{}", run.output);
}

// ---- helpers -------------------------------------------------------------------------------------------------------

struct Run {
    output: String,
    last_line: String,
    code: i32,
}

fn run(args: &[&str], cargo: &str, npm: &str) -> Run {
    run_with(args, &[("cargo", cargo), ("npm", npm)])
}

/// Runs `./test` with stand-ins whose scripts end with success unless they say otherwise.
fn run_with(args: &[&str], scripts: &[(&str, &str)]) -> Run {
    let tools = TempDir::new().unwrap();
    let succeed = [
        ("cargo", ""),
        ("npm", ""),
        ("openssl", ""),
        ("curl", ""),
        ("python3", ""),
        ("node", ""),
        ("nginx", ""),
        ("chromium", ""),
        ("certtool", ""),
        ("apache2", ""),
        ("oidc-agent", ""),
        ("certutil", ""),
        ("lego", ""),
        ("dehydrated", ""),
        ("uacme", ""),
        ("caddy", ""),
        ("go", ""),
        ("judges/venv/bin/lint_pkix_cert", ""),
        ("judges/venv/bin/certbot", ""),
        ("judges/venv/bin/acme-tiny", ""),
        ("judges/venv/bin/flask", ""),
        ("judges/bin/zlint", ""),
    ];
    // the last of a name holds
    for (name, script) in succeed.iter().chain(scripts) {
        let file = tools.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("#!/usr/bin/env bash\n{script}\nexit 0\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!(
        "{}:{}",
        tools.path().display(),
        std::env::var("PATH").unwrap()
    );
    let output = Command::new("bash")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test"))
        .args(args)
        .env("PATH", path)
        .env("STAMPMILL_JUDGES", tools.path().join("judges"))
        .env_remove("CI")
        .env_remove("STAMPMILL_OUTSIDE")
        .env_remove("STAMPMILL_OUTSIDE_REQUIRED")
        .env_remove("STAMPMILL_NO_ASM")
        .output()
        .unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let last_line = text.lines().last().unwrap_or_default().to_owned();
    Run {
        output: text,
        last_line,
        code: output.status.code().unwrap(),
    }
}
