//! Rivals side by side: each round times every row once, one after the other, so that whatever slows the machine down slows all
//! of them; what counts is each row's fastest round, and the ratio to the first row.
//!
//! `cargo bench --bench rsa -- TEXT` runs the tables whose title has TEXT in it, and `--quick` takes a tenth of the rounds. Without
//! `--bench`, which is how `cargo test --benches` runs a bench, every row is called once and nothing is timed.

use std::env;
use std::time::{Duration, Instant};

/// How long one row of one round should take, if one call takes less.
const ROUND: Duration = Duration::from_millis(8);

/// A table.
pub(crate) struct Table<'a> {
    title: String,
    rounds: usize,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    name: String,
    /// Operations of one call.
    operations: usize,
    call: Box<dyn FnMut() + 'a>,
    /// Calls of one round, a multiple of `period`.
    calls: usize,
    fastest: Duration,
}

impl<'a> Table<'a> {
    pub(crate) fn new(title: impl Into<String>, rounds: usize) -> Table<'a> {
        Table {
            title: title.into(),
            rounds,
            rows: Vec::new(),
        }
    }

    /// A call that does so many operations, and whose cost repeats itself after `period` calls (blinding factors last for
    /// 32 signatures).
    pub(crate) fn row(
        mut self,
        name: &str,
        operations: usize,
        period: usize,
        call: impl FnMut() + 'a,
    ) -> Table<'a> {
        self.rows.push(Row {
            name: name.into(),
            operations,
            call: Box::new(call),
            calls: period,
            fastest: Duration::MAX,
        });
        self
    }

    /// Times everything and prints microseconds and speed against the first row, if the command line asks for this table.
    pub(crate) fn run(self) {
        let (flags, texts): (Vec<_>, Vec<_>) =
            env::args().skip(1).partition(|text| text.starts_with('-'));
        let flag = |name: &str| flags.iter().any(|flag| flag == name);
        if !texts.is_empty() && !texts.iter().any(|text| self.title.contains(text)) {
            return;
        }
        match (flag("--bench"), flag("--quick")) {
            (false, _) => self.call_once(),
            (true, false) => self.time(1),
            (true, true) => self.time(10),
        }
    }

    fn call_once(self) {
        for mut row in self.rows {
            (row.call)();
        }
    }

    /// With this part of the rounds.
    fn time(mut self, part: usize) {
        for row in &mut self.rows {
            row.round(); // warm up
            let one = row.round().max(Duration::from_nanos(1));
            row.calls *= (ROUND.as_nanos() / one.as_nanos()).max(1) as usize;
        }
        for _ in 0..self.rounds.div_ceil(part) {
            for row in &mut self.rows {
                let time = row.round() / row.calls as u32 / row.operations as u32;
                row.fastest = row.fastest.min(time);
            }
        }
        println!("\n{}", self.title);
        let first = self.rows[0].fastest.as_secs_f64();
        for row in &self.rows {
            let time = row.fastest.as_secs_f64();
            let (name, micros, ratio) = (&row.name, time * 1e6, first / time);
            println!(
                "  {name:<34} {micros:>10.2} us {:>10.0}/s {ratio:>7.2}x",
                1.0 / time
            );
        }
    }
}

impl Row<'_> {
    fn round(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..self.calls {
            (self.call)();
        }
        start.elapsed()
    }
}
