//! Lists of keys that are known to others: what Debian's broken generator of 2006 to 2008 could make (CVE-2008-0166), and whatever else
//! somebody has collected. They are other people's data, and long; so they are files, read when they are there.
//!
//! | line | means |
//! |---|---|
//! | 20 hexadecimal digits | an RSA modulus, as Debian's package openssl-blacklist lists them: the last 80 bits of SHA-1 over `Modulus=...` and a line end |
//! | 40 hexadecimal digits | the same, all of it |
//! | 64 hexadecimal digits | any key: SHA-256 of its `SubjectPublicKeyInfo` |
//! | `#` ... | nothing |

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use openssl::sha::sha1;

use super::PublicKey;
use crate::certificate::hex;

/// Where Debian's package puts its lists.
const DEBIAN: &str = "/usr/share/openssl-blacklist";
/// Most keys that are read: at about 100 bytes each in memory.
const MOST: usize = 4_000_000;

/// The keys on the lists.
#[derive(Default)]
pub(crate) struct BlockedKeys {
    /// The last 80 bits.
    moduli: HashSet<[u8; 10]>,
    keys: HashSet<[u8; 32]>,
}

impl BlockedKeys {
    /// The authority's own list and Debian's, as far as they are there.
    pub(crate) fn of(own: &Path) -> io::Result<Self> {
        let mut blocked = Self::default();
        let mut files: Vec<PathBuf> = match std::fs::read_dir(DEBIAN) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            Err(_) => Vec::new(),
        };
        let is_list = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("blacklist.");
        files.retain(|file| file.file_name().is_some_and(is_list));
        for file in &files {
            blocked.read(file)?;
        }
        match blocked.read(own) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(blocked),
            read => read.map(|()| blocked),
        }
    }

    fn read(&mut self, file: &Path) -> io::Result<()> {
        let odd = |number: usize, what: &str| {
            let line = format!("{}, line {number}: {what}", file.display());
            io::Error::new(ErrorKind::InvalidData, line)
        };
        for (number, line) in (1..).zip(BufReader::new(File::open(file)?).lines()) {
            let line = line?;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if self.moduli.len() + self.keys.len() >= MOST {
                return Err(odd(number, "too many keys"));
            }
            match octets(line).as_deref() {
                Some(short @ [..]) if short.len() == 10 || short.len() == 20 => {
                    let last = short.last_chunk().expect("it has 10 octets or 20");
                    self.moduli.insert(*last);
                }
                Some(long) if long.len() == 32 => {
                    let digest = long.first_chunk().expect("it has 32 octets");
                    self.keys.insert(*digest);
                }
                _ => return Err(odd(number, "expected 20, 40 or 64 hexadecimal digits")),
            }
        }
        Ok(())
    }

    pub(crate) fn has(&self, key: &PublicKey) -> bool {
        let listed = |modulus: Vec<u8>| {
            let digest = sha1(format!("Modulus={}\n", hex(&modulus).to_uppercase()).as_bytes());
            digest
                .last_chunk()
                .is_some_and(|last| self.moduli.contains(last))
        };
        !self.keys.is_empty() && self.keys.contains(&key.fingerprint())
            || !self.moduli.is_empty() && key.modulus().is_some_and(listed)
    }
}

fn octets(line: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| {
        char::from(c)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    line.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use openssl::bn::BigNum;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;

    use super::*;
    use crate::keys::KeyKind;

    /// A key that Debian's generator made, and the last 80 bits by which the package's list for 2048 bits knows it.
    const MODULUS: &str = "D673252AF6723C3F72529403EAB7C30DEF3C52F97E799825F4A70191C616ADCF1ECE1113F1625971074C492C592025FDEADBDB146A\
        081826BDF0D77C3C913DCF1B6F0B3B78F5108D2E493AD0EEE8CA5C021711ADC13D358E61133870FCD19C8E5C22403959782AA82E72AEE53A3D491E3912CE27\
        B27E1A85EA69C19A527D28F7934C9823B7E56FDD657DAC83FDC65BB22A98D843DF73238919781B714C81A5E2AFEC71F5C54AA2A27C590AD94C03C1062D50EF\
        CFFAC743E3C8A3AE056846A1D756EB862BF4224169D467C35215ADE0AFCC11E85FE629AFB802C4786FF2E9C929BCCF502B3D3B8876C6A11785CC398B389F1D\
        86BDD9CB0BD4EC13956EC3FA270D";
    const LISTED: &str = "8df20e6961a16398b85a";

    #[test]
    fn listed_keys_are_known_in_each_spelling() {
        let modulus = BigNum::from_hex_str(MODULUS).unwrap();
        let exponent = BigNum::from_u32(65537).unwrap();
        let debian = Rsa::from_public_components(modulus, exponent).unwrap();
        let debian = PublicKey::of(&PKey::from_rsa(debian).unwrap()).unwrap();
        let other = PublicKey::of(&KeyKind::P256.generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("blocked-keys");
        let known = |text: &str| {
            std::fs::write(&file, text).unwrap();
            BlockedKeys::of(&file).map(|blocked| (blocked.has(&debian), blocked.has(&other)))
        };
        assert_eq!(known("# nothing\n\n").unwrap(), (false, false));
        assert_eq!(
            known(&format!("# a list\n{LISTED}\n")).unwrap(),
            (true, false)
        );
        let whole = "a3853d0c563765e504c18df20e6961a16398b85a\n";
        assert_eq!(known(whole).unwrap(), (true, false));
        let key = hex(&other.fingerprint());
        assert_eq!(known(&key).unwrap(), (false, true));
        let error = known("8df2\n").unwrap_err().to_string();
        assert!(error.contains("line 1: expected 20"), "{error}");
        assert!(known("zz\n").is_err());
        std::fs::remove_file(&file).unwrap();
        assert!(!BlockedKeys::of(&file).unwrap().has(&debian));
    }
}
