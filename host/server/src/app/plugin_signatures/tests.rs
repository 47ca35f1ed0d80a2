use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/app/plugins/foreign/fixtures");

fn key(path: PathBuf, password: KeyPassword) -> SecretKeyFile {
    SecretKeyFile { path, password }
}

/// One with nothing in it.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

#[test]
fn what_is_no_plugin_is_not_signed() {
    let dir = tempfile::tempdir().expect("a directory");
    let secret = key(dir.path().join("secret"), KeyPassword::None);
    keygen(&secret).expect("a pair");
    let error = sign(&secret.path, &secret).expect_err("it is a key").to_string();
    assert!(error.contains("secret is no plugin, so it is not signed: it is no WebAssembly component"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 2, "no signature is left");
}

#[test]
fn a_new_key_signs() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("plugin.wasm");
    fs::write(&file, COMPONENT).expect("written");
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
    fs::write(&file, [COMPONENT, b"\0\x02\x01n"].concat()).expect("written");
    let error = verify(&file, public).expect_err("changed").to_string();
    assert!(error.contains("does not fit"), "{error}");
    let error = verify(&file, "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").expect_err("another key");
    assert!(error.to_string().contains("is not trusted; trusted: E7620F1842B4E81F"), "{error}");
    verify(&file, "/nowhere").expect_err("no public key");
}

#[test]
fn half_a_pair_is_not_left_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    // With `.pub` behind it, the name is longer than any file's.
    let secret = key(dir.path().join("k".repeat(253)), KeyPassword::None);
    let error = format!("{:#}", keygen(&secret).expect_err("no room for the name"));
    assert!(error.contains("cannot write") && error.contains(".pub"), "{error}");
    assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 0);
    std::os::unix::fs::symlink("/nowhere", dir.path().join("link")).expect("a link");
    let error = keygen(&key(dir.path().join("link"), KeyPassword::None)).expect_err("a link").to_string();
    assert!(error.contains("is there already"), "{error}");
}

#[test]
fn a_key_of_minisign_signs_with_its_password() {
    let dir = tempfile::tempdir().expect("a directory");
    let (file, words) = (dir.path().join("plugin.wasm"), dir.path().join("password"));
    fs::write(&file, COMPONENT).expect("written");
    let secret = PathBuf::from(FIXTURES).join("secret.key");
    fs::write(&words, "correct horse\nanother line\n").expect("written");
    sign(&file, &key(secret.clone(), KeyPassword::File(words.clone()))).expect("signed");
    verify(&file, &format!("{FIXTURES}/public.pub")).expect("good");
    for (content, ask, expected) in [
        ("battery staple", KeyPassword::File(words.clone()), "Wrong password"),
        ("", KeyPassword::File(words.clone()), "holds no password"),
        ("", KeyPassword::None, "has a password: leave -no-password out"),
    ] {
        fs::write(&words, content).expect("written");
        let error = sign(&file, &key(secret.clone(), ask)).expect_err("refused");
        let error = format!("{error:#}");
        assert!(error.contains(expected) && !error.contains("staple"), "{error}");
    }
}

/// As `minisign -G -W` writes it: without a checksum.
#[test]
fn a_key_that_minisign_made_without_a_password_signs() {
    let dir = tempfile::tempdir().expect("a directory");
    let [file, secret, public] = ["plugin.wasm", "secret.key", "secret.pub"].map(|name| dir.path().join(name));
    fs::write(&file, COMPONENT).expect("written");
    let made = Command::new("minisign").arg("-GWp").arg(&public).arg("-s").arg(&secret).output();
    assert!(made.expect("minisign: run `cargo xtask setup`").status.success());
    for ask in [KeyPassword::None, KeyPassword::Terminal] {
        sign(&file, &key(secret.clone(), ask)).expect("signed");
        verify(&file, public.to_str().expect("text")).expect("good");
    }
    assert!(Command::new("minisign").arg("-Vqm").arg(&file).arg("-p").arg(&public).status().expect("ran").success());
    let words = dir.path().join("words");
    fs::write(&words, "correct horse\n").expect("written");
    let error = sign(&file, &key(secret.clone(), KeyPassword::File(words))).expect_err("it has none").to_string();
    assert!(error.contains("has no password: write -no-password instead"), "{error}");

    // One character of the key itself, behind the 72 about it and the 11 of its number.
    let text = fs::read_to_string(&secret).expect("text");
    let (comment, line) = text.trim_end().split_once('\n').expect("two lines");
    let other = if &line[100..101] == "A" { "B" } else { "A" };
    fs::write(&secret, format!("{comment}\n{}{other}{}\n", &line[..100], &line[101..])).expect("written");
    fs::remove_file(signature::beside(&file)).expect("removed");
    let error = format!("{:#}", sign(&file, &key(secret, KeyPassword::None)).expect_err("broken"));
    assert!(!signature::beside(&file).exists(), "nothing is signed with a broken key: {error}");
}

#[test]
fn the_wrong_half_of_a_pair_is_named_and_never_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("plugin.wasm");
    fs::write(&file, COMPONENT).expect("written");
    let secret = key(dir.path().join("x.key"), KeyPassword::None);
    keygen(&secret).expect("a pair");
    sign(&file, &secret).expect("signed");
    let public = dir.path().join("x.key.pub");
    let text = fs::read_to_string(&secret.path).expect("text");
    let line = text.lines().nth(1).expect("a key");
    let protected = format!("{FIXTURES}/secret.key");
    let of_protected = fs::read_to_string(&protected).expect("text");
    let of_protected = of_protected.lines().nth(1).expect("a key");
    let at = |path: &Path| path.to_str().expect("text").to_owned();

    let verified = |key: &str| verify(&file, key).expect_err("no public key");
    let signed = |path: &str| sign(&file, &key(path.into(), KeyPassword::None)).expect_err("no secret key");
    let of_file = "holds a secret key, and signatures are checked with the public one";
    let itself = "looks like a secret key itself: every user of this machine can see a command line";
    for (error, expected) in [
        (verified(&at(&secret.path)), format!("x.key {of_file}; did you mean {}?", public.display())),
        (verified(&protected), format!("secret.key {of_file}")),
        (verified(line), itself.to_owned()),
        (verified(&text), itself.to_owned()),
        (verified(&line[..150]), itself.to_owned()),
        (verified(of_protected), itself.to_owned()),
        (verified(&at(&signature::beside(&file))), "holds a signature, and -key names the public key".to_owned()),
        (verified(&at(&file)), "plugin.wasm holds no public key of minisign: 56 characters".to_owned()),
        (
            signed(&at(&public)),
            format!(
                "holds a public key, and signatures are made with the secret one; did you mean {}?",
                secret.path.display()
            ),
        ),
        (signed(line), itself.to_owned()),
        (signed(of_protected), itself.to_owned()),
        (signed(&at(&signature::beside(&file))), "holds a signature, and -key names the secret key".to_owned()),
        (signed(&at(&file)), "plugin.wasm holds no secret key of minisign".to_owned()),
    ] {
        let error = format!("{error:#} {error:?}");
        assert!(error.contains(&expected), "{expected}: {error}");
        for secret in [line, of_protected] {
            assert!(
                !secret.as_bytes().windows(24).any(|part| error.as_bytes().windows(24).any(|said| said == part)),
                "{error}"
            );
        }
    }
}
