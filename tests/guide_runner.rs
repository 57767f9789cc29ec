//! Proves that the guide runner notices when a page and a program disagree: each test plants a mismatch, or a page that must pass.
#![allow(clippy::unwrap_used)]

#[path = "guide/expect.rs"]
mod expect;
#[path = "guide/names.rs"]
mod names;
#[path = "guide/page.rs"]
mod page;
#[path = "guide/programs.rs"]
mod programs;
#[path = "guide/session.rs"]
mod session;

use std::path::Path;

use expect::{Ran, compare, line_matches};
use page::{Command, Needs, Page, blocks};
use programs::Programs;
use session::Session;

// ---- comparing -------------------------------------------------------------------------------------------------------

#[test]
fn anything_within_a_line() {
    for (pattern, line) in [
        ("plain", "plain"),
        ("a [..] c", "a b c"),
        ("a[..]", "a"),
        ("[..]z", "xyz"),
        ("[..]", ""),
        ("[..]a[..]a", "xaya"),
        ("[..]ab[..]", "aab"),
        ("A = [..], B = [..]", "A = 10, B = 2"),
    ] {
        assert!(line_matches(pattern, line), "{pattern:?} {line:?}");
    }
    for (pattern, line) in [
        ("plain", "plain "),
        ("plain", "Plain"),
        ("a [..] c", "a b d"),
        ("a[..]a", "a"),
        ("[..]a[..]a", "xa"),
        ("", "x"),
    ] {
        assert!(!line_matches(pattern, line), "{pattern:?} {line:?}");
    }
}

#[test]
fn any_number_of_lines() {
    for actual in [
        "first\nlast\n",
        "first\n1\n2\n3\nlast\n",
        "first\nlast\nlast\n",
    ] {
        assert_eq!(differ(&["first", "...", "last"], 0, actual, 0), None);
    }
    assert_eq!(differ(&["..."], 0, "", 0), None);
    assert_eq!(differ(&["x", "..."], 0, "x\n", 0), None);
    assert!(differ(&["first", "...", "last"], 0, "first\n1\n", 0).is_some());
    assert!(differ(&["...", "last"], 0, "last\nafter\n", 0).is_some());
}

#[test]
fn blanks_at_line_ends_and_empty_last_lines_do_not_count() {
    assert_eq!(differ(&["a", ""], 0, "a  \n\n\n", 0), None);
    assert!(
        differ(&["a", "b"], 0, "a\n\nb\n", 0).is_some(),
        "an empty line in the middle counts"
    );
}

#[test]
fn planted_mismatches_are_shown_as_a_diff() {
    let diff = differ(&["one", "two", "three"], 0, "one\n2\nthree\nfour\n", 0).unwrap();
    assert_eq!(diff, "$ command\n  one\n- two\n+ 2\n  three\n+ four\n");
    let diff = differ(&["one", "two"], 0, "two\n", 0).unwrap();
    assert_eq!(diff, "$ command\n- one\n  two\n");
}

#[test]
fn the_exit_code_is_compared_too() {
    assert_eq!(differ(&["x"], 3, "x\n", 3), None);
    assert_eq!(
        differ(&["x"], 0, "x\n", 1).unwrap(),
        "$ command\n  x\n- ? 0\n+ ? 1\n"
    );
    assert!(
        differ(&["x"], 1, "x\n", 0).is_some(),
        "success where failure is documented"
    );
}

fn differ(expected: &[&str], code: i32, actual: &str, actual_code: i32) -> Option<String> {
    let output = expected.iter().map(|line| (*line).to_owned()).collect();
    let command = Command {
        text: "command".to_owned(),
        output,
        code,
    };
    compare(
        &command,
        &Ran {
            output: actual.to_owned(),
            code: actual_code,
        },
    )
    .err()
}

// ---- reading pages ---------------------------------------------------------------------------------------------------

const PAGE: &str = "\
# A page

```console
$ cat <<END \\
>   | sort
> b
> END
b
> no continuation
? 2
$ true
```

```rust
let x = 1;
```

- in a list:

  ```console outside
  $ curl -s \"$URL\" | python3 -m json.tool
    indented
  ```
";

#[test]
fn blocks_of_a_page() {
    let blocks = blocks(PAGE).unwrap();
    assert_eq!(blocks.len(), 2);
    let [first, second] = &blocks[..] else {
        unreachable!()
    };
    assert_eq!(
        (first.number, first.line, first.needs),
        (1, 3, Needs::Nothing)
    );
    assert_eq!(first.commands[0].text, "cat <<END \\\n  | sort\nb\nEND");
    assert_eq!(first.commands[0].output, ["b", "> no continuation"]);
    assert_eq!((first.commands[0].code, first.commands[1].code), (2, 0));
    assert_eq!(second.needs, Needs::OutsideTools);
    assert_eq!(second.commands[0].output, ["  indented"]);
    assert!(second.mentions("curl") && second.mentions("python3") && !second.mentions("node"));
}

#[test]
fn unreadable_pages_are_errors_and_not_skipped() {
    for (page, complaint) in [
        ("```console\n$ true\n", "never closed"),
        ("```console\noutput first\n```\n", "expected `$ command`"),
        ("```console\n```\n", "without a command"),
        (
            "```console outsid\n$ true\n```\n",
            "expected `console`, `console outside` or `console asm`",
        ),
        ("```console\n$ true\n? one\n```\n", "expected an exit code"),
        (
            "```console\n$ true\n? 1\nmore\n```\n",
            "expected `$ command` after",
        ),
    ] {
        let error = blocks(page).unwrap_err();
        assert!(error.contains(complaint), "{page:?}: {error}");
    }
}

#[test]
fn a_guide_without_pages_or_commands_is_an_error() {
    let folder =
        std::env::temp_dir().join(format!("stampmill-guide-runner-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    assert!(page::find(&folder).unwrap_err().contains("README.md"));
    std::fs::write(folder.join("README.md"), "# no commands\n").unwrap();
    assert!(page::find(&folder).unwrap_err().contains("no page has"));
    std::fs::write(folder.join("README.md"), "```console\n$ true\n```\n").unwrap();
    assert_eq!(page::find(&folder).unwrap()[0].name, "README.md");
    std::fs::remove_dir_all(&folder).unwrap();
}

// ---- running ---------------------------------------------------------------------------------------------------------

#[test]
fn a_session_keeps_variables_folders_and_files() {
    let mut session = session();
    assert_eq!(run(&mut session, "ls -A"), (String::new(), 0));
    run(
        &mut session,
        "name=Alice; mkdir here; cd here; echo hello > file",
    );
    assert_eq!(
        run(&mut session, "echo \"$name\"; cat file"),
        ("Alice\nhello\n".to_owned(), 0)
    );
    assert_eq!(
        run(&mut session, "echo out; echo err >&2; (exit 7)"),
        ("out\nerr\n".to_owned(), 7)
    );
    assert_eq!(
        run(&mut session, "cat <<END\na\nEND"),
        ("a\n".to_owned(), 0)
    );
    assert_eq!(
        run(&mut session, "cat"),
        (String::new(), 0),
        "no command reads the terminal"
    );
    session.end();
}

#[test]
fn a_syntax_error_or_an_unknown_command_fails_the_command_only() {
    let mut session = session();
    assert_ne!(run(&mut session, "if then").1, 0);
    assert_eq!(run(&mut session, "no-such-program-anywhere").1, 127);
    assert_eq!(
        run(&mut session, "echo still here"),
        ("still here\n".to_owned(), 0)
    );
    assert!(
        session
            .run("exit 3")
            .unwrap_err()
            .contains("ended the session")
    );
    assert!(session.run("true").is_err());
}

#[test]
fn what_a_page_leaves_running_is_ended() {
    let mut session = session();
    let (id, _) = run(&mut session, "sleep 1000 & echo $!");
    let process = Path::new("/proc").join(id.trim());
    let has_proc = process.exists();
    session.end();
    assert!(
        !(has_proc && process.exists()),
        "{} still runs",
        process.display()
    );
}

#[test]
fn cargo_run_is_the_program_that_is_already_built() {
    let mut session = session();
    for cargo in [
        "cargo run",
        "cargo run --release",
        "cargo run -q -- --flag 'two words'",
        "stampmill",
    ] {
        let (output, code) = run(&mut session, cargo);
        assert_eq!(code, 0, "{cargo}: {output}");
        assert_eq!(
            output.contains("[--flag] [two words]"),
            cargo.contains("--flag"),
            "{cargo}: {output}"
        );
    }
    assert_eq!(
        run(&mut session, "cargo run --example hello -- x").0,
        "example [x]\n"
    );
    assert_eq!(run(&mut session, "cargo run --example missing").1, 64);
    assert_eq!(run(&mut session, "cargo build").1, 64);
    session.end();
}

#[test]
fn absent_programs_are_noticed() {
    assert!(session::is_on_path("bash"));
    assert!(!session::is_on_path("no-such-program-anywhere"));
}

// ---- names -----------------------------------------------------------------------------------------------------------

#[test]
fn names_that_lead_nowhere_are_found() {
    let text = "\
See `crates/interop/src/lib.rs`, `crates/nowhere/src/lib.rs`, `docs/<page>.md`, [here](nowhere.md), [there](Cargo.toml#x),
[outside](https://example.com). Try `cargo run --example nowhere`, `cargo bench --bench nowhere`, `cargo test -p stampmill-nowhere`,
`cargo test -p stampmill-dh`, `stampmill good verb`, `stampmill good bad`, `cargo run -- worse | cat`, `stampmill --help`.
";
    let page = Page {
        name: "README.md".to_owned(),
        text: text.to_owned(),
        blocks: Vec::new(),
    };
    let found = names::unknown(
        &page,
        Path::new(env!("CARGO_MANIFEST_DIR")),
        &fake_programs(),
    );
    let expected = [
        "no bench `nowhere`: there is no benches/nowhere.rs",
        "no command `stampmill good bad`",
        "no command `stampmill worse`",
        "no example `nowhere`: there is no examples/nowhere.rs",
        "no file or folder `crates/nowhere/src/lib.rs` in the repository",
        "no package `stampmill-nowhere`: there is no crates/nowhere",
        "the link to `nowhere.md` leads nowhere",
    ];
    assert_eq!(found, expected);
}

// ---- helpers ---------------------------------------------------------------------------------------------------------

fn session() -> Session {
    Session::start(Path::new(env!("CARGO_MANIFEST_DIR")), &fake_programs()).unwrap()
}

fn run(session: &mut Session, command: &str) -> (String, i32) {
    let ran = session.run(command).unwrap();
    (ran.output, ran.code)
}

/// Stand-ins for the built programs: one that shows its arguments and knows `good verb`, and an example `hello`.
fn fake_programs() -> Programs {
    let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/guide/fake-programs/stampmill");
    Programs::beside(&fake)
}
