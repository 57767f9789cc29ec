//! Compares what a command printed with what the page says, and shows the difference.

use crate::page::Command;

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Standard output and standard error together.
    pub(crate) output: String,
    pub(crate) code: i32,
}

/// `Err` is a readable diff: lines only the page has start with `-`, lines only the command printed start with `+`.
pub(crate) fn compare(command: &Command, ran: &Ran) -> Result<(), String> {
    let expected: Vec<&str> = trimmed(command.output.iter().map(String::as_str));
    let actual: Vec<&str> = trimmed(ran.output.lines());
    let alignment = align(&expected, &actual);
    if alignment.cost == 0 && command.code == ran.code {
        return Ok(());
    }
    let mut diff = format!("$ {}\n", command.text);
    for step in alignment.steps {
        diff.push_str(&match step {
            Step::Same(line) => format!("  {line}\n"),
            Step::Missing(line) => format!("- {line}\n"),
            Step::Unexpected(line) => format!("+ {line}\n"),
        });
    }
    if command.code != ran.code {
        diff.push_str(&format!("- ? {}\n+ ? {}\n", command.code, ran.code));
    }
    Err(diff)
}

/// Blanks at line ends and empty lines at the end do not count.
fn trimmed<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut lines: Vec<&str> = lines.map(str::trim_end).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

const ANY_LINES: &str = "...";
const ANYTHING: &str = "[..]";

/// Whether `actual` is what `pattern` describes, `[..]` standing for anything.
pub(crate) fn line_matches(pattern: &str, actual: &str) -> bool {
    let Some((first, rest)) = pattern.split_once(ANYTHING) else {
        return pattern == actual;
    };
    let Some(mut actual) = actual.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split(ANYTHING).collect();
    let last = parts.pop().unwrap_or_default();
    // Leftmost matches leave the most for what follows, so no other choice can succeed where this one fails.
    for part in parts {
        match actual.find(part) {
            Some(at) => actual = &actual[at + part.len()..],
            None => return false,
        }
    }
    actual.ends_with(last)
}

enum Step<'a> {
    Same(&'a str),
    Missing(&'a str),
    Unexpected(&'a str),
}

struct Alignment<'a> {
    /// Lines missing or unexpected; 0 means that everything matches.
    cost: usize,
    steps: Vec<Step<'a>>,
}

/// The alignment with the fewest missing and unexpected lines, by the usual table of edit distances in which a `...` takes
/// lines for free. `cost[i][j]` is the price of expected lines from `i` on against actual lines from `j` on.
fn align<'a>(expected: &[&'a str], actual: &[&'a str]) -> Alignment<'a> {
    let (rows, columns) = (expected.len(), actual.len());
    let mut cost = vec![vec![usize::MAX; columns + 1]; rows + 1];
    for i in (0..=rows).rev() {
        for j in (0..=columns).rev() {
            cost[i][j] = moves(expected, actual, i, j)
                .map(|(next, price, _)| price + cost[next.0][next.1])
                .min()
                .unwrap_or(0);
        }
    }
    let (mut i, mut j, mut steps) = (0, 0, Vec::new());
    while let Some((next, _, step)) =
        moves(expected, actual, i, j).min_by_key(|(next, price, _)| price + cost[next.0][next.1])
    {
        steps.extend(step);
        (i, j) = next;
    }
    Alignment {
        cost: cost[0][0],
        steps,
    }
}

type Move<'a> = ((usize, usize), usize, Option<Step<'a>>);

/// The steps possible at (i, j): where each leads, its price, and how it is shown.
fn moves<'a>(
    expected: &[&'a str],
    actual: &[&'a str],
    i: usize,
    j: usize,
) -> impl Iterator<Item = Move<'a>> {
    let mut moves: Vec<Move<'a>> = Vec::with_capacity(3);
    match (expected.get(i), actual.get(j)) {
        (Some(&ANY_LINES), line) => {
            if let Some(line) = line {
                moves.push(((i, j + 1), 0, Some(Step::Same(line))));
            }
            moves.push(((i + 1, j), 0, None));
        }
        (Some(wanted), Some(line)) => {
            if line_matches(wanted, line) {
                moves.push(((i + 1, j + 1), 0, Some(Step::Same(line))));
            }
            moves.push(((i + 1, j), 1, Some(Step::Missing(wanted))));
            moves.push(((i, j + 1), 1, Some(Step::Unexpected(line))));
        }
        (Some(wanted), None) => moves.push(((i + 1, j), 1, Some(Step::Missing(wanted)))),
        (None, Some(line)) => moves.push(((i, j + 1), 1, Some(Step::Unexpected(line)))),
        (None, None) => {}
    }
    moves.into_iter()
}
