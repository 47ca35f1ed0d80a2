use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/app/plugins/foreign/fixtures");

fn key(path: PathBuf, password: KeyPassword) -> SecretKeyFile {
    SecretKeyFile { path, password }
}

#[test]
fn a_new_key_signs() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("plugin.wasm");
    fs::write(&file, b"bytes").expect("written");
    let secret = key(dir.path().join("secret"), KeyPassword::None);
    keygen(&secret).expect("a pair");
    assert_eq!(fs::metadata(&secret.path).expect("there").permissions().mode() & 0o777, 0o600);
    let again = keygen(&secret).expect_err("it is there").to_string();
    assert!(again.contains("is there already"), "{again}");
    let public = dir.path().join("secret.pub");
    let public = public.to_str().expect("text");
    for ask in [KeyPassword::None, KeyPassword::Terminal] {
        sign(&file, &key(secret.path.clone(), ask)).expect("signed, and signed again");
        verify(&file, public).expect("good");
    }
    let minisign = Command::new("minisign").arg("-Vqm").arg(&file).args(["-p", public]).status();
    assert!(minisign.expect("minisign: run `cargo xtask setup`").success(), "minisign reads it");
    fs::write(&file, b"other bytes").expect("written");
    let error = verify(&file, public).expect_err("changed").to_string();
    assert!(error.contains("does not fit"), "{error}");
    let error = verify(&file, "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").expect_err("another key");
    assert!(error.to_string().contains("is not trusted; trusted: E7620F1842B4E81F"), "{error}");
    for wrong in ["/nowhere", &secret.path.to_string_lossy()] {
        verify(&file, wrong).expect_err("no public key");
    }
}

#[test]
fn a_key_of_minisign_signs_with_its_password() {
    let dir = tempfile::tempdir().expect("a directory");
    let (file, words) = (dir.path().join("plugin.wasm"), dir.path().join("password"));
    fs::write(&file, b"bytes").expect("written");
    let secret = PathBuf::from(FIXTURES).join("secret.key");
    fs::write(&words, "correct horse\nanother line\n").expect("written");
    sign(&file, &key(secret.clone(), KeyPassword::File(words.clone()))).expect("signed");
    verify(&file, &format!("{FIXTURES}/public.pub")).expect("good");
    for (content, ask, expected) in [
        ("battery staple", KeyPassword::File(words.clone()), "Wrong password"),
        ("", KeyPassword::File(words.clone()), "holds no password"),
        ("", KeyPassword::None, "Key might be encrypted"),
    ] {
        fs::write(&words, content).expect("written");
        let error = sign(&file, &key(secret.clone(), ask)).expect_err("refused");
        let error = format!("{error:#}");
        assert!(error.contains(expected) && !error.contains("staple"), "{error}");
    }
}
