//! Which implementation does the arithmetic.

use std::env;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::cpu::{Ifma52, MulxAdx};

/// An implementation of the arithmetic behind [`Modulus`](crate::Modulus). All give the same results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// num-bigint. Variable time: an oracle for tests and a bar for benches, not for secrets that matter.
    Reference,
    /// Montgomery multiplication in Rust. Constant time; runs everywhere.
    Portable,
    /// Montgomery multiplication in x86-64 assembly (`asm/montgomery_mul.S`), for any such processor. Constant time.
    Mul,
    /// As `Mul`, with the instructions of BMI2 and ADX (`asm/montgomery_adx.S`), and squares for less than products.
    /// That kernel takes multiples of 512 bits; moduli of other lengths are computed as by `Mul`. Constant time.
    Adx,
    /// Almost-Montgomery multiplication with AVX-512 IFMA (`asm/montgomery_ifma.S`), for moduli of 769 to 4096 bits; others
    /// are computed as by `Adx`, or `Mul` where the processor lacks ADX. Constant time.
    Ifma,
}

impl Engine {
    /// Every engine, slowest first, whether or not this build and this machine have it.
    pub const ALL: &[Engine] = &[
        Engine::Reference,
        Engine::Portable,
        Engine::Mul,
        Engine::Adx,
        Engine::Ifma,
    ];

    /// The engines that this build has and this machine can run, slowest first.
    pub fn available() -> Vec<Engine> {
        Engine::ALL
            .iter()
            .copied()
            .filter(|engine| engine.is_available())
            .collect()
    }

    /// Whether this build has the engine and this machine can run it.
    pub fn is_available(self) -> bool {
        match self {
            Engine::Reference | Engine::Portable => true,
            Engine::Mul => cfg!(stampmill_asm),
            Engine::Adx => MulxAdx::detect().is_some(),
            Engine::Ifma => Ifma52::detect().is_some(),
        }
    }

    /// The name used by `STAMPMILL_ENGINE` and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Reference => "reference",
            Engine::Portable => "portable",
            Engine::Mul => "mul",
            Engine::Adx => "adx",
            Engine::Ifma => "ifma",
        }
    }

    /// The engine named by the environment variable `STAMPMILL_ENGINE`, or else the fastest available one.
    ///
    /// The variable is read once a process. A name that is unknown, or an engine that is not available, is an error
    /// rather than a silent change of engine.
    pub fn preferred() -> Result<Engine, EngineError> {
        static PREFERRED: OnceLock<Result<Engine, EngineError>> = OnceLock::new();
        PREFERRED
            .get_or_init(|| match env::var("STAMPMILL_ENGINE") {
                Ok(name) => name.parse::<Engine>().and_then(Engine::require),
                Err(env::VarError::NotPresent) => Ok(Engine::fastest()),
                Err(env::VarError::NotUnicode(name)) => Err(EngineError::Unknown {
                    name: name.to_string_lossy().into_owned(),
                }),
            })
            .clone()
    }

    fn fastest() -> Engine {
        Engine::ALL
            .iter()
            .rfind(|engine| engine.is_available())
            .copied()
            .expect("the portable engine is available everywhere")
    }

    /// Whether the engine computes eight exponentiations at once.
    pub(crate) fn has_lanes(self) -> bool {
        self == Engine::Ifma && self.is_available()
    }

    pub(crate) fn require(self) -> Result<Engine, EngineError> {
        if self.is_available() {
            Ok(self)
        } else {
            Err(EngineError::NotAvailable { engine: self })
        }
    }
}

impl FromStr for Engine {
    type Err = EngineError;

    fn from_str(name: &str) -> Result<Engine, EngineError> {
        Engine::ALL
            .iter()
            .copied()
            .find(|engine| engine.name() == name)
            .ok_or_else(|| EngineError::Unknown {
                name: name.to_owned(),
            })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why an engine cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No engine has this name.
    #[error("no engine is called `{name}`; there are {}", names())]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// The engine exists, but not in this build or not on this processor.
    #[error(
        "engine `{engine}` is not available: it needs {}",
        requirement(*engine)
    )]
    NotAvailable {
        /// The engine asked for.
        engine: Engine,
    },
}

fn names() -> String {
    Engine::ALL
        .iter()
        .map(|engine| engine.name())
        .collect::<Vec<_>>()
        .join(", ")
}

fn requirement(engine: Engine) -> &'static str {
    match engine {
        Engine::Adx if cfg!(stampmill_asm) => "a processor with the instruction sets BMI2 and ADX",
        Engine::Ifma if cfg!(stampmill_asm) => {
            "a processor with the instruction sets AVX-512F, AVX-512 IFMA and BMI2"
        }
        _ => "x86-64 with an ELF system and a build without STAMPMILL_NO_ASM",
    }
}
