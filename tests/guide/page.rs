//! From Markdown to blocks of commands with their expected output.

use std::fs;
use std::path::Path;

/// One page of the guide.
#[derive(Debug)]
pub(crate) struct Page {
    /// The path from the root of the repository, as in `docs/01-diffie-hellman.md`.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
}

/// One fenced `console` block.
#[derive(Debug)]
pub(crate) struct Block {
    /// Counted from 1 in its page.
    pub(crate) number: usize,
    /// Line of the opening fence.
    pub(crate) line: usize,
    pub(crate) needs: Needs,
    pub(crate) commands: Vec<Command>,
}

/// What a block needs beside Rust, as the word behind `console` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing.
    Nothing,
    /// `outside`: a program that is neither Rust nor a C toolchain.
    OutsideTools,
    /// `asm`: a build with the assembly.
    Assembly,
}

/// A command, what it should print, and the exit code it should have.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) text: String,
    pub(crate) output: Vec<String>,
    pub(crate) code: i32,
}

impl Block {
    /// Whether a command of the block has `program` as one of its words.
    pub(crate) fn mentions(&self, program: &str) -> bool {
        let is_separator = |c: char| c.is_whitespace() || "|;&()$`\"'".contains(c);
        self.commands
            .iter()
            .any(|command| command.text.split(is_separator).any(|word| word == program))
    }
}

/// README.md and docs/*.md, in that order. Having no README, or no command in any page, is an error: the run would prove
/// nothing.
pub(crate) fn find(checkout: &Path) -> Result<Vec<Page>, String> {
    let mut names = vec!["README.md".to_owned()];
    let docs = checkout.join("docs");
    if docs.is_dir() {
        let entries =
            fs::read_dir(&docs).map_err(|error| format!("{}: {error}", docs.display()))?;
        let mut pages: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".md"))
            .map(|name| format!("docs/{name}"))
            .collect();
        pages.sort();
        names.extend(pages);
    }
    let pages = names
        .iter()
        .map(|name| read(checkout, name))
        .collect::<Result<Vec<Page>, String>>()?;
    if pages.iter().all(|page| page.blocks.is_empty()) {
        return Err("no page has a `console` block".to_owned());
    }
    Ok(pages)
}

fn read(checkout: &Path, name: &str) -> Result<Page, String> {
    let text =
        fs::read_to_string(checkout.join(name)).map_err(|error| format!("{name}: {error}"))?;
    let blocks = blocks(&text).map_err(|error| format!("{name}: {error}"))?;
    Ok(Page {
        name: name.to_owned(),
        text,
        blocks,
    })
}

/// The `console` blocks of a page.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    for fence in fences(text)? {
        let needs = match fence.info.split_whitespace().collect::<Vec<_>>()[..] {
            ["console"] => Needs::Nothing,
            ["console", "outside"] => Needs::OutsideTools,
            ["console", "asm"] => Needs::Assembly,
            ["console", ..] => {
                return Err(format!(
                    "line {}: expected `console`, `console outside` or `console asm`, got `{}`",
                    fence.line, fence.info
                ));
            }
            _ => continue,
        };
        let commands =
            commands(&fence.lines).map_err(|error| format!("line {}: {error}", fence.line))?;
        blocks.push(Block {
            number: blocks.len() + 1,
            line: fence.line,
            needs,
            commands,
        });
    }
    Ok(blocks)
}

/// A fenced code block, whatever its language.
pub(crate) struct Fence<'a> {
    pub(crate) line: usize,
    pub(crate) info: &'a str,
    pub(crate) lines: Vec<&'a str>,
}

/// All fenced code blocks (CommonMark §4.5, backtick fences), their indentation taken off.
pub(crate) fn fences(text: &str) -> Result<Vec<Fence<'_>>, String> {
    let mut fences = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let ticks = line[indent..].chars().take_while(|&c| c == '`').count();
        let info = line[indent + ticks..].trim();
        if ticks < 3 || info.contains('`') {
            continue;
        }
        let mut fence = Fence {
            line: index + 1,
            info,
            lines: Vec::new(),
        };
        loop {
            let Some((_, line)) = lines.next() else {
                return Err(format!("line {}: the block is never closed", fence.line));
            };
            let bare = line.trim();
            if bare.len() >= ticks && bare.bytes().all(|byte| byte == b'`') {
                break;
            }
            let blanks = line.len() - line.trim_start_matches(' ').len();
            fence.lines.push(&line[indent.min(blanks)..]);
        }
        fences.push(fence);
    }
    Ok(fences)
}

fn commands(lines: &[&str]) -> Result<Vec<Command>, String> {
    let mut commands: Vec<Command> = Vec::new();
    let mut in_command = false;
    let mut has_code = false;
    for line in lines {
        if let Some(text) = line.strip_prefix("$ ") {
            commands.push(Command {
                text: text.to_owned(),
                output: Vec::new(),
                code: 0,
            });
            (in_command, has_code) = (true, false);
            continue;
        }
        let command = commands
            .last_mut()
            .ok_or("expected `$ command` in the first line of a console block")?;
        if has_code {
            return Err(format!(
                "expected `$ command` after `? {}`, got `{line}`",
                command.code
            ));
        }
        let continuation = line.strip_prefix("> ").or((*line == ">").then_some(""));
        match (continuation, line.strip_prefix("? ")) {
            (Some(more), _) if in_command => {
                command.text.push('\n');
                command.text.push_str(more);
            }
            (_, Some(code)) => {
                command.code = code
                    .trim()
                    .parse()
                    .map_err(|_| format!("expected an exit code in `{line}`"))?;
                has_code = true;
            }
            _ => {
                command.output.push((*line).to_owned());
                in_command = false;
            }
        }
    }
    if commands.is_empty() {
        Err("a console block without a command".to_owned())
    } else {
        Ok(commands)
    }
}
