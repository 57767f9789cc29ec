//! Proves that the workspace has the shape that docs/design.md draws: who uses whom, where `unsafe` may stand, what is built by
//! default, what the root package may pull in, and that no key is tracked.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Crates with a module that teaches or wraps machine code; there the workspace's `deny` stands instead of `forbid`, and each
/// such module says `#[expect(unsafe_code, reason = ...)]`.
const WITH_UNSAFE_MODULES: &[&str] = &["modexp", "claim-check", "scenarios"];

/// Built only when asked for, and used by nothing.
const NOT_BY_DEFAULT: &[&str] = &["rivals", "interop"];

// ---- arrows --------------------------------------------------------------------------------------------------------

#[test]
fn each_crate_uses_only_what_its_row_in_the_design_names() {
    let allowed = arrows_of_the_design();
    for package in packages() {
        let Some(row) = allowed.get(&package.name) else {
            assert!(
                NOT_BY_DEFAULT.contains(&package.name.as_str()),
                "docs/design.md has no row for {}",
                package.name
            );
            continue;
        };
        let beyond: Vec<&String> = package.uses.difference(row).collect();
        assert!(
            beyond.is_empty(),
            "{} uses {beyond:?}, which its row in docs/design.md does not name",
            package.name
        );
    }
}

#[test]
fn each_row_of_the_design_is_a_crate() {
    let names: BTreeSet<String> = packages().into_iter().map(|package| package.name).collect();
    let rows: BTreeSet<String> = arrows_of_the_design().into_keys().collect();
    let gone: Vec<&String> = rows.difference(&names).collect();
    assert!(
        gone.is_empty(),
        "docs/design.md has rows for crates that do not exist: {gone:?}"
    );
}

#[test]
fn nothing_uses_the_command_line_nor_other_peoples_code() {
    for package in packages() {
        for end in NOT_BY_DEFAULT.iter().chain(&["stampmill"]) {
            assert!(!package.uses.contains(*end), "{} uses {end}", package.name);
        }
    }
}

#[test]
fn the_reader_of_the_table_reads_tables() {
    let table = "\
text | with a bar
| crate | what it is | uses |
|---|---|---|
| `a` | first | – |
| `b` | second | `a` |
| `c` | third | all of the above |
| `top` | fourth | all; nothing uses it |
| `x`, `y` | fifth | – |

| other | table |
";
    let rows = read_table(table);
    let row = |name: &str| rows[name].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(
        (row("a"), row("b"), row("c")),
        (vec![], vec!["a"], vec!["a", "b"])
    );
    assert_eq!(
        (row("top"), row("x"), row("y")),
        (vec!["a", "b", "c"], vec![], vec![])
    );
}

/// The table of docs/design.md: for each crate, the crates it may use. "All" means all rows above.
fn arrows_of_the_design() -> BTreeMap<String, BTreeSet<String>> {
    let page = std::fs::read_to_string(root().join("docs/design.md")).unwrap();
    let rows = read_table(&page);
    assert!(
        rows.len() > 5,
        "docs/design.md has no table `| crate | what it is | uses |`"
    );
    rows
}

fn read_table(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let lines = page
        .lines()
        .skip_while(|line| !line.starts_with("| crate |"))
        .skip(2);
    let mut rows = BTreeMap::<String, BTreeSet<String>>::new();
    for line in lines.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [names, _, uses] = cells[..] else {
            panic!("expected three cells in `{line}`")
        };
        let above = rows.keys().cloned().collect();
        let used: BTreeSet<String> = if uses.starts_with("all") {
            above
        } else {
            code_spans(uses).collect()
        };
        rows.extend(code_spans(names).map(|name| (name, used.clone())));
    }
    rows
}

fn code_spans(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

// ---- unsafe, lints, publishing -------------------------------------------------------------------------------------

#[test]
fn crates_without_kernels_forbid_unsafe_code() {
    let lacks_forbid = |package: &Package| {
        let source = std::fs::read_to_string(&package.entry).unwrap();
        !source.lines().any(|line| line == "#![forbid(unsafe_code)]")
    };
    let packages = packages().into_iter().filter(lacks_forbid);
    let lacking: Vec<String> = packages
        .map(|package| package.name)
        .filter(|name| !WITH_UNSAFE_MODULES.contains(&name.as_str()))
        .collect();
    assert!(
        lacking.is_empty(),
        "without #![forbid(unsafe_code)]: {lacking:?}"
    );
}

#[test]
fn unsafe_code_is_expected_module_by_module_and_allowed_nowhere() {
    let mut files = Vec::new();
    for folder in ["src", "crates"] {
        collect_rust_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 20);
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        let here = file.strip_prefix(root()).unwrap();
        let may_expect = WITH_UNSAFE_MODULES
            .iter()
            .any(|name| here.starts_with(Path::new("crates").join(name)));
        let is_attribute = |line: &&str| line.starts_with("#[") || line.starts_with("#![");
        for line in source.lines().map(str::trim_start).filter(is_attribute) {
            let allows = line.contains("allow(unsafe_code");
            let expects = line.contains("expect(unsafe_code");
            assert!(
                !allows,
                "{}: use #[expect(unsafe_code, reason = ...)]",
                here.display()
            );
            assert!(!expects || may_expect, "{}: {line}", here.display());
        }
    }
}

#[test]
fn every_package_takes_the_workspace_lints_and_is_not_published() {
    for package in packages() {
        let manifest = std::fs::read_to_string(&package.manifest).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{}",
            package.manifest.display()
        );
        assert!(!package.is_published, "{} could be published", package.name);
    }
}

// ---- what is tracked -----------------------------------------------------------------------------------------------

/// Keys of tests are made by the tests. Rust files may hold one as text; anything else that looks like one was left behind.
#[test]
fn no_key_nor_certificate_is_tracked_by_accident() {
    // a folder, or a file in a further work tree; a downloaded archive has neither
    if !root().join(".git").exists() {
        return;
    }
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output();
    let Ok(listed) = listed else { return };
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<&str> = listed.split_terminator('\0').collect();
    assert!(files.len() > 100, "git lists {files:?}");
    let left: Vec<&str> = files.into_iter().filter(|file| is_key_file(file)).collect();
    assert!(left.is_empty(), "keys or certificates: {left:?}");
}

fn is_key_file(file: &str) -> bool {
    let path = Path::new(file);
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    if ["pem", "key", "p12"].iter().any(|other| ending == *other) {
        return true;
    }
    // one that was deleted and is still listed holds nothing
    let bytes = std::fs::read(root().join(path)).unwrap_or_default();
    ending != "rs" && holds_private_key(&bytes)
}

fn holds_private_key(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    ["", "EC ", "RSA ", "ENCRYPTED ", "OPENSSH "]
        .iter()
        .any(|kind| text.contains(&format!("-----BEGIN {kind}PRIVATE KEY-----")))
}

#[test]
fn what_looks_like_a_key_is_seen() {
    for name in ["key.pem", "a/b/server.KEY", "bundle.p12"] {
        assert!(is_key_file(name), "{name}");
    }
    assert!(!is_key_file("README.md"));
    for kind in ["", "EC ", "RSA "] {
        let text = format!("text\n-----BEGIN {kind}PRIVATE KEY-----\nAA==\n");
        assert!(holds_private_key(text.as_bytes()), "{kind}");
    }
    assert!(!holds_private_key(b"-----BEGIN PUBLIC KEY-----"));
}

// ---- what is built -------------------------------------------------------------------------------------------------

#[test]
fn other_peoples_code_is_not_built_by_default() {
    let metadata = metadata();
    let names = |list: &str| -> BTreeSet<String> {
        let members = metadata[list].as_array().unwrap();
        members
            .iter()
            .map(|member| folder_name(member.as_str().unwrap()))
            .collect()
    };
    let left_out: BTreeSet<String> = names("workspace_members")
        .difference(&names("workspace_default_members"))
        .cloned()
        .collect();
    assert_eq!(
        left_out,
        NOT_BY_DEFAULT
            .iter()
            .map(|name| (*name).to_owned())
            .collect()
    );
}

/// Cargo builds the root's dev-dependencies for every example, so a reader would wait for them.
#[test]
fn the_root_has_no_dev_dependency_beyond_criterion_and_what_the_binary_links() {
    let linked = cargo(&[
        "tree",
        "--offline",
        "-p",
        "stampmill",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let linked: BTreeSet<&str> = linked
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let root = packages()
        .into_iter()
        .find(|package| package.name == "stampmill")
        .unwrap();
    assert!(
        root.dev_dependencies
            .iter()
            .any(|name| linked.contains(name.as_str())),
        "cargo tree printed {linked:?}"
    );
    for name in root.dev_dependencies {
        assert!(
            name == "criterion" || linked.contains(name.as_str()),
            "the binary does not link {name}"
        );
    }
}

// ---- reading the workspace -----------------------------------------------------------------------------------------

struct Package {
    /// The folder's name, or `stampmill` for the root.
    name: String,
    manifest: PathBuf,
    /// `lib.rs` or `main.rs`.
    entry: PathBuf,
    /// Our own crates that it links or builds with.
    uses: BTreeSet<String>,
    dev_dependencies: BTreeSet<String>,
    is_published: bool,
}

fn packages() -> Vec<Package> {
    metadata()["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(read_package)
        .collect()
}

fn read_package(package: &Value) -> Package {
    let dependencies = package["dependencies"].as_array().unwrap();
    let names = |wanted: fn(&Value) -> bool| {
        let of_kind = dependencies
            .iter()
            .filter(move |dependency| wanted(&dependency["kind"]));
        of_kind.map(|dependency| dependency["name"].as_str().unwrap().to_owned())
    };
    let is_dev = |kind: &Value| *kind == "dev";
    let ours = names(|kind| *kind != "dev").filter(|name| name.starts_with("stampmill"));
    let targets = package["targets"].as_array().unwrap();
    let entry = targets
        .iter()
        .find(|target| ["lib", "bin"].iter().any(|kind| target["kind"][0] == *kind))
        .unwrap();
    Package {
        name: short(package["name"].as_str().unwrap()),
        manifest: package["manifest_path"].as_str().unwrap().into(),
        entry: entry["src_path"].as_str().unwrap().into(),
        uses: ours.map(|name| short(&name)).collect(),
        dev_dependencies: names(is_dev).collect(),
        is_published: package["publish"]
            .as_array()
            .is_none_or(|registries| !registries.is_empty()),
    }
}

fn short(name: &str) -> String {
    name.strip_prefix("stampmill-").unwrap_or(name).to_owned()
}

/// The last folder of a package identifier, as in `path+file:///.../crates/jose#0.1.0` or `...#stampmill-jose@0.1.0`.
fn folder_name(id: &str) -> String {
    let (path, fragment) = id.split_once('#').unwrap();
    let folder = path.rsplit('/').next().unwrap();
    short(fragment.split_once('@').map_or(folder, |(name, _)| name))
}

fn metadata() -> Value {
    serde_json::from_str(&cargo(&[
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]))
    .unwrap()
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn collect_rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("node_modules") {
            collect_rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
