//! Proves that the data folder is made whole or not at all, keeps no secret in the clear, and that a bad one is refused
//! with a sentence and left as it was.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use stampmill_token_service::{Admin, DataFolder, DataFolderError};

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

fn refusal(folder: &Path) -> DataFolderError {
    DataFolder::open_or_create(folder).map(drop).unwrap_err()
}

#[test]
fn a_first_start_makes_everything_and_tells_secrets_once() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("deep/data");
    let (data, first) = DataFolder::open_or_create(&folder).unwrap();
    let first = first.unwrap();
    assert!(data.ca_root_path().ends_with("ca/root.pem") && data.ca_root_path().is_file());
    drop(data);
    assert!(
        fs::read_to_string(folder.join(".gitignore"))
            .unwrap()
            .ends_with("\n*\n")
    );
    assert_eq!(
        fs::metadata(&folder).unwrap().permissions().mode() & 0o777,
        0o700
    );
    let secrets = [first.client_secret.expose(), first.password.expose()];
    for (path, bytes) in files(&folder) {
        let public = path.extension().is_some_and(|end| end == "pem")
            && path.starts_with(folder.join("ca"))
            || path.ends_with(".gitignore");
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o077;
        assert!(
            public || mode == 0,
            "{} can be read by others",
            path.display()
        );
        for secret in secrets {
            assert!(
                !bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes()),
                "a secret in {}",
                path.display()
            );
        }
    }
    let siblings: Vec<_> = fs::read_dir(folder.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(siblings, ["data"], "nothing left beside it");
    assert!(
        DataFolder::open_or_create(&folder).unwrap().1.is_none(),
        "the second start tells nothing"
    );
}

#[test]
fn an_empty_folder_is_filled_and_a_foreign_one_is_not() {
    let scratch = tempfile::tempdir().unwrap();
    let empty = scratch.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert!(DataFolder::open_or_create(&empty).unwrap().1.is_some());
    let foreign = scratch.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.txt"), "years of work").unwrap();
    let before = files(&foreign);
    assert!(matches!(refusal(&foreign), DataFolderError::Foreign { .. }));
    assert_eq!(files(&foreign), before);
}

#[test]
fn what_an_interrupted_start_left_is_in_nobodys_way() {
    let scratch = tempfile::tempdir().unwrap();
    let left = scratch
        .path()
        .join(format!(".data.new-{}", std::process::id()));
    fs::create_dir(&left).unwrap();
    fs::write(left.join("half"), "made").unwrap();
    let folder = scratch.path().join("data");
    assert!(DataFolder::open_or_create(&folder).unwrap().1.is_some());
    assert_eq!(fs::read_to_string(left.join("half")).unwrap(), "made");
}

#[test]
fn one_server_a_folder() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let (_held, _) = DataFolder::open_or_create(&folder).unwrap();
    let error = refusal(&folder);
    assert!(matches!(error, DataFolderError::InUse { .. }), "{error}");
}

#[test]
fn a_folder_with_a_part_missing_or_damaged_is_left_as_it_was() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    drop(DataFolder::open_or_create(&folder).unwrap());
    let whole = files(&folder);
    for part in ["ca/root.pem", "keys/sealing.key", "stampmill.sqlite3"] {
        let path = folder.join(part);
        fs::remove_file(&path).unwrap();
        let error = refusal(&folder).to_string();
        assert!(
            error.contains("incomplete") && error.contains(part),
            "{error}"
        );
        assert!(
            !path.exists(),
            "{part} was made anew: everything it protected would be lost"
        );
        for (how, bytes) in [
            ("empty", Vec::new()),
            ("cut", whole[&path][..whole[&path].len() / 2].to_vec()),
            ("noise", vec![b'#'; 100]),
        ] {
            fs::write(&path, &bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            let error = refusal(&folder).to_string();
            assert!(
                error.contains(Path::new(part).file_name().unwrap().to_str().unwrap()),
                "{part} {how}: {error}"
            );
            assert_eq!(fs::read(&path).unwrap(), bytes, "{part} {how}: touched");
        }
        fs::write(&path, &whole[&path]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    DataFolder::open(&folder).unwrap();
}

#[test]
fn a_place_that_cannot_be_written_is_a_sentence() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "in the way").unwrap();
    for place in [
        file.clone(),
        file.join("data"),
        PathBuf::from("/proc/stampmill-data"),
    ] {
        let error = refusal(&place);
        let source = std::error::Error::source(&error);
        assert!(
            source.is_none(),
            "told twice in a chain: {error}: {source:?}"
        );
        let error = error.to_string();
        assert!(
            error.starts_with("cannot ")
                && error.contains(place.parent().unwrap().to_str().unwrap()),
            "{error}"
        );
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "in the way");
    let left: Vec<_> = fs::read_dir(scratch.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["file"]);
}

#[test]
fn a_sealing_key_of_another_folder_is_noticed() {
    let scratch = tempfile::tempdir().unwrap();
    let (ours, theirs) = (scratch.path().join("ours"), scratch.path().join("theirs"));
    drop(DataFolder::open_or_create(&ours).unwrap());
    drop(DataFolder::open_or_create(&theirs).unwrap());
    fs::copy(
        theirs.join("keys/sealing.key"),
        ours.join("keys/sealing.key"),
    )
    .unwrap();
    let error = refusal(&ours);
    assert!(matches!(error, DataFolderError::OtherKey { .. }), "{error}");
    assert!(error.to_string().contains("\"demo\""), "{error}");
    assert!(Admin::open(&ours).is_err());
}

#[test]
fn a_folder_that_is_not_there_is_called_so() {
    let scratch = tempfile::tempdir().unwrap();
    let absent = scratch.path().join("absent");
    let empty = scratch.path().join("empty");
    fs::create_dir(&empty).unwrap();
    for folder in [&absent, &empty] {
        let error = Admin::open(folder).unwrap_err().to_string();
        let expected = format!(
            "there is no stampmill data in {}: `stampmill serve` makes a data folder, and --data names it here",
            folder.display()
        );
        assert_eq!(error, expected);
    }
    assert!(!absent.exists());
}

#[test]
fn of_several_first_starts_at_once_one_wins_and_tells_its_secrets() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    let starts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| DataFolder::open_or_create(&folder)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        starts
            .iter()
            .filter(|start| matches!(start, Ok((_, Some(_)))))
            .count(),
        1
    );
    for lost in starts.iter().filter_map(|start| start.as_ref().err()) {
        assert!(matches!(lost, DataFolderError::InUse { .. }), "{lost}");
    }
    assert_eq!(starts.iter().filter(|start| start.is_err()).count(), 2);
}
