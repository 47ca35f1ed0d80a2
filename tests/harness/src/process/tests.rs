use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn shell(script: &str) -> (tempfile::TempDir, Process) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(Path::new("/bin/sh"));
    command.args(["-c", script]);
    let process = Process::spawn("script", command, &directory.path().join("log")).unwrap();
    (directory, process)
}

fn runs(id: u32) -> bool {
    Path::new(&format!("/proc/{id}")).exists()
}

#[tokio::test]
async fn a_dropped_process_is_gone() {
    let (_directory, process) = shell("exec sleep 600");
    let id = process.id();
    assert!(runs(id));
    drop(process);
    assert!(!runs(id));
}

#[tokio::test]
async fn an_early_end_is_reported_with_the_log() {
    let (_directory, mut process) = shell("echo no such zone; exit 3");
    let error = process.until_ready(START_DEADLINE, || async { Err::<(), _>(anyhow!("no")) }).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("no such zone") && text.contains("exit status: 3"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_never_ready_is_reported() {
    let (_directory, mut process) = shell("echo still thinking; exec sleep 600");
    let probe = || async { Err::<(), _>(anyhow!("connection refused")) };
    let text = format!("{:#}", process.until_ready(Duration::from_millis(300), probe).await.unwrap_err());
    assert!(text.contains("connection refused") && text.contains("still thinking"), "{text}");
}

#[tokio::test]
async fn a_taken_port_is_tried_again() {
    let tries = AtomicUsize::new(0);
    let started = with_fresh_ports(|| async {
        let taken = tries.fetch_add(1, Ordering::SeqCst) < 2;
        let script = if taken { "echo 'bind: Address already in use'; exit 1" } else { "exec sleep 600" };
        let (_directory, mut process) = shell(script);
        let probe = || async { if taken { Err(anyhow!("no answer")) } else { Ok(()) } };
        process.until_ready(START_DEADLINE, probe).await
    });
    started.await.unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn signals_arrive() {
    let (_directory, mut process) = shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done");
    let log = process.log.clone();
    let probe = || async { if std::fs::read_to_string(&log)?.contains("ready") { Ok(()) } else { bail!("no") } };
    process.until_ready(START_DEADLINE, probe).await.unwrap();
    process.signal("TERM").unwrap();
    assert_eq!(process.wait(START_DEADLINE).await.unwrap().code(), Some(7));
}

#[tokio::test]
async fn the_kernel_ends_it_when_its_parent_is_killed() {
    let setpriv = programs::system("setpriv").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let pid_file = directory.path().join("pid");
    // A parent of its own, so that it can be killed: it starts the grandchild as `command` does.
    let script = r#""$0" --pdeathsig KILL -- sleep 600 & echo $! >"$1"; wait"#;
    let mut parent = Command::new("sh").arg("-c").arg(script).arg(setpriv).arg(&pid_file).spawn().unwrap();
    let command_line = |id: u32| std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let grandchild = loop {
        let id = std::fs::read_to_string(&pid_file).ok().and_then(|text| text.trim().parse::<u32>().ok());
        match id {
            Some(id) if command_line(id).starts_with("sleep") => break id,
            _ => sleep(POLL_INTERVAL).await,
        }
    };
    parent.kill().unwrap();
    parent.wait().unwrap();
    let end = Instant::now() + START_DEADLINE;
    while command_line(grandchild).starts_with("sleep") {
        assert!(Instant::now() < end, "the child outlived its parent");
        sleep(POLL_INTERVAL).await;
    }
}
