//! Runs every command that README.md and docs/*.md show, and compares what it prints with what the page says it prints.
//!
//! # Writing a page
//!
//! A fenced block marked `console` is run:
//!
//! ````text
//! ```console
//! $ cargo run -q --example dh_toy
//! A = 10, B = 2
//! ...
//! shared secret: [..]
//! $ cargo run -- client show nobody
//! error: there is no client `nobody`
//! ? 1
//! ```
//! ````
//!
//! - `$ command` starts a command; lines that begin with `> ` directly below belong to it (a trailing `\`, a here-document).
//! - Then comes what it prints, standard output and standard error together, blanks at line ends ignored.
//!   `[..]` stands for anything within a line; a line `...` for any number of lines, none included.
//! - `? 1` after the output is the expected exit code; without it, 0.
//! - The blocks of a page run from top to bottom in one bash session that starts in an empty folder, with that folder's
//!   `home` as `HOME`. Variables, files and the working directory last to the end of the page.
//! - `stampmill` is the built program. `cargo run [--release] [-q] [--example NAME] [-- ARGS]` runs the program that is
//!   already built, in the profile of the test run; any other `cargo` command fails. So show no `Compiling` lines.
//! - `$STAMPMILL_CHECKOUT` is the repository, for a page that reads one of its files.
//! - A server goes to the background with its output in a file, and the page waits for its ready line:
//!   `stampmill serve > serve.log 2>&1 &`, then `until grep -qs ready serve.log; do sleep 0.1; done`.
//!   What is still running when the page ends is ended by its process id, first politely.
//! - A block marked `console outside` needs a program that is neither Rust nor a C toolchain (see [`OUTSIDE_TOOLS`]). It runs
//!   with `STAMPMILL_OUTSIDE=1` (which runs only the pages that have such blocks), else it is reported as ignored; so it is
//!   when its program is absent, unless `STAMPMILL_OUTSIDE_REQUIRED=1` turns that into a failure.
//! - A block marked `console asm` shows what the assembly does; a build without it reports the block as ignored.
//!
//! Besides, a page must not name what does not exist: see `guide/names.rs`.
//!
//! # Running
//!
//! `cargo test --test guide [FILTER]`, after `cargo build --examples`. The report has the form of Rust's own test harness.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

#[path = "guide/expect.rs"]
mod expect;
#[path = "guide/names.rs"]
mod names;
#[path = "guide/page.rs"]
mod page;
#[path = "guide/programs.rs"]
mod programs;
#[path = "guide/report.rs"]
mod report;
#[path = "guide/session.rs"]
mod session;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use page::{Block, Needs, Page};
use programs::Programs;
use report::{Outcome, Report};
use session::Session;

/// Programs that only the outside stage may need.
const OUTSIDE_TOOLS: &[&str] = &["curl", "openssl", "python3", "node", "npm", "npx"];

fn main() -> ExitCode {
    let checkout = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let programs = Programs::beside(Path::new(env!("CARGO_BIN_EXE_stampmill")));
    let mut report = Report::from_args(std::env::args().skip(1));
    match page::find(&checkout) {
        Ok(pages) => pages
            .iter()
            .for_each(|page| run_page(page, &checkout, &programs, &mut report)),
        Err(reason) => report.record("pages", || Outcome::Failed(reason)),
    }
    report.finish()
}

fn run_page(page: &Page, checkout: &Path, programs: &Programs, report: &mut Report) {
    // The outside stage follows a full run, so it repeats only the pages that have something new to run.
    if outside() == Outside::Now && !page.blocks.iter().any(is_outside) {
        return;
    }
    let names = format!("{}: names", page.name);
    if report.wants_any([names.clone()]) {
        report.record(&names, || {
            let unknown = names::unknown(page, checkout, programs);
            if unknown.is_empty() {
                Outcome::Passed
            } else {
                Outcome::Failed(unknown.join("\n"))
            }
        });
    }
    if page.blocks.is_empty()
        || !report.wants_any(page.blocks.iter().map(|block| title(page, block)))
    {
        return;
    }
    let mut session = match Session::start(checkout, programs) {
        Ok(session) => session,
        Err(error) => {
            report.record(&format!("{}: session", page.name), || {
                Outcome::Failed(error)
            });
            return;
        }
    };
    // Later blocks of a page lean on earlier ones, so a filter chooses pages: all blocks of a chosen page run.
    for block in &page.blocks {
        if is_outside(block) && outside() == Outside::Later {
            report.leave_out();
            continue;
        }
        report.record(&title(page, block), || run_block(block, &mut session));
    }
    session.end();
}

fn title(page: &Page, block: &Block) -> String {
    format!(
        "{}: block {} (line {})",
        page.name, block.number, block.line
    )
}

fn is_outside(block: &Block) -> bool {
    block.needs == Needs::OutsideTools
}

fn run_block(block: &Block, session: &mut Session) -> Outcome {
    let hindrance = match block.needs {
        Needs::Nothing => None,
        Needs::OutsideTools => cannot_run_outside(block),
        Needs::Assembly => without_assembly(),
    };
    if let Some(reason) = hindrance {
        return reason;
    }
    for command in &block.commands {
        let ran = match session.run(&command.text) {
            Ok(ran) => ran,
            Err(error) => return Outcome::Failed(format!("$ {}\n{error}", command.text)),
        };
        if let Err(difference) = expect::compare(command, &ran) {
            return Outcome::Failed(difference);
        }
    }
    Outcome::Passed
}

/// The program says there what is missing, which is right and another text.
fn without_assembly() -> Option<Outcome> {
    (!stampmill_modexp::tutorial::AVAILABLE)
        .then(|| Outcome::Ignored("built without assembly".to_owned()))
}

/// What `STAMPMILL_OUTSIDE` says about blocks that need outside tools.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outside {
    /// `1`: they run.
    Now,
    /// `later`: another run of this harness is going to run them, so this one leaves them out.
    Later,
    /// Anything else: they are reported as ignored.
    Off,
}

fn outside() -> Outside {
    match std::env::var("STAMPMILL_OUTSIDE").as_deref() {
        Ok("1") => Outside::Now,
        Ok("later") => Outside::Later,
        _ => Outside::Off,
    }
}

fn cannot_run_outside(block: &Block) -> Option<Outcome> {
    if outside() != Outside::Now {
        return Some(Outcome::Ignored("needs STAMPMILL_OUTSIDE=1".to_owned()));
    }
    let is_absent = |tool: &&str| block.mentions(tool) && !session::is_on_path(tool);
    let absent: Vec<&str> = OUTSIDE_TOOLS.iter().copied().filter(is_absent).collect();
    if absent.is_empty() {
        return None;
    }
    let absent = absent.join(", ");
    match std::env::var("STAMPMILL_OUTSIDE_REQUIRED").as_deref() {
        Ok("1") => Some(Outcome::Failed(format!("required and absent: {absent}"))),
        _ => Some(Outcome::Ignored(format!("absent: {absent}"))),
    }
}
