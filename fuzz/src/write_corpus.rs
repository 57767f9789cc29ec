//! Writes the seeds as files: `corpus/<target>/<number>`.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let seeds = stampmill_fuzz::targets::seeds()
        .into_iter()
        .chain(stampmill_fuzz::claims::seeds());
    for (number, (target, bytes)) in seeds.enumerate() {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(number.to_string()), bytes)?;
    }
    Ok(())
}
