//! `stampmill` without a verb: the tour.

use stampmill_scenarios::{JsonLines, TOUR, Terminal};

use crate::print::Printer;

pub(crate) fn run(out: Printer) -> anyhow::Result<()> {
    if out.is_json() {
        return TOUR.play(&mut JsonLines::new(std::io::stdout()));
    }
    out.say(format_args!(
        "the tour of stampmill {}   cpu: {}",
        env!("CARGO_PKG_VERSION"),
        crate::verbs::doctor::processor_summary()
    ));
    TOUR.play(&mut Terminal::new(anstream::stdout()))?;
    out.say("\nnext: cargo run -- serve     then open https://localhost:8443");
    Ok(())
}
