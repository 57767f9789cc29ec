//! The programs that pages run.

use std::path::{Path, PathBuf};

/// Where cargo has put what the pages run.
pub(crate) struct Programs {
    pub(crate) stampmill: PathBuf,
    pub(crate) examples: PathBuf,
}

impl Programs {
    pub(crate) fn beside(stampmill: &Path) -> Programs {
        let folder = stampmill.parent().expect("a program is in a folder");
        Programs {
            stampmill: stampmill.to_owned(),
            examples: folder.join("examples"),
        }
    }
}
