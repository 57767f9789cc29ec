//! A page must not name what does not exist: files of the repository, examples, benches, packages, verbs of the command line.
//!
//! Names are looked for where pages write them: in `code spans`, in fenced blocks and in the targets of links.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::page::{Page, fences};
use crate::programs::Programs;

/// Folders of the repository: a word in code that begins with one of them is a path of ours. A file of another repository is
/// written with that repository before it, as in `cranelift/docs/ir.md`.
const FOLDERS: &[&str] = &[
    "asm/",
    "benches/",
    "crates/",
    "docs/",
    "examples/",
    "exercises/",
    "src/",
    "tests/",
    ".ci/",
];

/// One sentence for each name that leads nowhere.
pub(crate) fn unknown(page: &Page, checkout: &Path, programs: &Programs) -> Vec<String> {
    let code = code_of(&page.text);
    let mut complaints = BTreeSet::new();
    for path in code.iter().flat_map(|code| paths(code)) {
        if !checkout.join(&path).exists() {
            complaints.insert(format!("no file or folder `{path}` in the repository"));
        }
    }
    for target in links(&page.text) {
        let from = checkout.join(&page.name);
        if !from
            .parent()
            .is_some_and(|folder| folder.join(&target).exists())
        {
            complaints.insert(format!("the link to `{target}` leads nowhere"));
        }
    }
    for command in code
        .iter()
        .flat_map(|code| code.lines())
        .flat_map(command_lines)
    {
        complaints.extend(unknown_in_command(&command, checkout, programs));
    }
    complaints.into_iter().collect()
}

/// The contents of code spans and fenced blocks.
fn code_of(text: &str) -> Vec<String> {
    let mut code: Vec<String> = fences(text)
        .into_iter()
        .flatten()
        .map(|fence| fence.lines.join("\n"))
        .collect();
    code.extend(outside_fences(text).flat_map(code_spans));
    code
}

fn outside_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    })
}

fn code_spans(line: &str) -> Vec<String> {
    line.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Words that are paths of the repository. Placeholders (`<name>`, `*`, `...`, `{a,b}`, `$VAR`) are no names.
fn paths(code: &str) -> Vec<String> {
    let is_separator = |c: char| c.is_whitespace() || "\"'(),;=|".contains(c);
    code.split(is_separator)
        .map(|word| {
            word.strip_prefix("$STAMPMILL_CHECKOUT/")
                .unwrap_or(word)
                .trim_end_matches(['.', ':'])
        })
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)))
        .filter(|word| !word.contains(['<', '>', '*', '{', '$', '[']) && !word.contains(".."))
        .map(str::to_owned)
        .collect()
}

/// Targets of `[text](target)` outside of code that are files: no scheme, no bare fragment; a fragment is taken off.
fn links(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in outside_fences(text) {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains(':') {
                targets.push(file.to_owned());
            }
        }
    }
    targets
}

/// The simple commands of a line, as words: `$ a | b && c` gives three.
fn command_lines(line: &str) -> Vec<Vec<String>> {
    let line = line.strip_prefix("$ ").unwrap_or(line);
    line.split(['|', ';', '&', '(', ')'])
        .map(|one| {
            one.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<String>>()
        })
        .filter(|words| !words.is_empty())
        .collect()
}

fn unknown_in_command(words: &[String], checkout: &Path, programs: &Programs) -> Vec<String> {
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .skip_while(|word| word.contains('='))
        .collect();
    match words[..] {
        ["stampmill", ref rest @ ..] => unknown_verb(rest, programs).into_iter().collect(),
        ["cargo", "run", ref rest @ ..] if !rest.contains(&"--example") => {
            let verbs = rest
                .iter()
                .position(|word| *word == "--")
                .map_or(&[][..], |at| &rest[at + 1..]);
            unknown_verb(verbs, programs).into_iter().collect()
        }
        ["cargo", ref rest @ ..] => unknown_targets(rest, checkout),
        _ => Vec::new(),
    }
}

/// `--example`, `--bench` and `-p` name something in the repository.
fn unknown_targets(words: &[&str], checkout: &Path) -> Vec<String> {
    let mut complaints = Vec::new();
    for pair in words.windows(2) {
        let (file, what) = match (pair[0], pair[1]) {
            (_, name) if !is_word(name) => continue,
            ("--example", name) => (format!("examples/{name}.rs"), "example"),
            ("--bench", name) => (format!("benches/{name}.rs"), "bench"),
            ("-p" | "--package", "stampmill") => continue,
            ("-p" | "--package", name) => (
                format!("crates/{}", name.trim_start_matches("stampmill-")),
                "package",
            ),
            _ => continue,
        };
        if !checkout.join(&file).exists() {
            complaints.push(format!("no {what} `{}`: there is no {file}", pair[1]));
        }
    }
    complaints
}

/// Asks the program itself: `VERB --help` must succeed, and where its help lists commands, the next word must be one.
fn unknown_verb(words: &[&str], programs: &Programs) -> Option<String> {
    let verbs: Vec<&str> = words
        .iter()
        .copied()
        .take_while(|word| is_word(word))
        .collect();
    let mut known: Vec<&str> = Vec::new();
    let mut listed = commands_in_help(&known, programs)?;
    for verb in verbs {
        if listed.is_empty() {
            return None;
        }
        if !listed.iter().any(|one| one == verb) {
            known.push(verb);
            return Some(format!("no command `stampmill {}`", known.join(" ")));
        }
        known.push(verb);
        listed = commands_in_help(&known, programs)?;
    }
    None
}

/// The names under `Commands:` of a verb's help; empty for a verb that has none.
fn commands_in_help(verbs: &[&str], programs: &Programs) -> Option<Vec<String>> {
    let asked = Command::new(&programs.stampmill)
        .args(verbs)
        .arg("--help")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let help = String::from_utf8_lossy(&asked.stdout).into_owned();
    let listed = help
        .lines()
        .skip_while(|line| line.trim() != "Commands:")
        .skip(1);
    let listed = listed.take_while(|line| line.starts_with(' ') || line.trim().is_empty());
    // A name is indented by two; what wraps below its description is indented by more.
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    Some(
        names
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect(),
    )
}

fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
}
