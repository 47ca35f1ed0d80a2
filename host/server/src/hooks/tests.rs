use std::sync::Mutex;

use acme_manager_plugin_runtime::{ChallengeKind, ErrorKind};

use super::*;

/// Answers as it is told and notes that it was asked.
struct Told {
    name: &'static str,
    answer: Option<ErrorKind>,
    asked: Arc<Mutex<Vec<&'static str>>>,
}

impl Policy for Told {
    fn review<'a>(&'a self, _: &'a ProposedOrder) -> BoxFuture<'a, Result<(), CallError>> {
        self.asked.lock().expect("no panic").push(self.name);
        let answer = self.answer.map_or(Ok(()), |kind| {
            let plugin = self.name.into();
            Err(CallError::Refused { plugin, kind, message: "no".into(), retry_after: None, denied: None })
        });
        Box::pin(async move { answer })
    }
}

fn order() -> ProposedOrder {
    ProposedOrder { domains: vec!["a.example".into()], issuer: "le".into(), challenge: ChallengeKind::Http }
}

/// Hooks that answer as told, and who was asked.
fn hooks(answers: &[(&'static str, Option<ErrorKind>)]) -> (Hooks, Arc<Mutex<Vec<&'static str>>>) {
    let asked = Arc::<Mutex<Vec<&'static str>>>::default();
    let entry = |(name, answer): &(&'static str, Option<ErrorKind>)| {
        let policy = Arc::new(Told { name, answer: *answer, asked: asked.clone() });
        (name.parse().expect("a name"), HookEntry::usable(UsableHook { policy, plugin: None }))
    };
    (Hooks::new(answers.iter().map(entry).collect()), asked)
}

#[tokio::test]
async fn all_are_asked_in_their_order_and_all_must_allow() {
    let (all, asked) = hooks(&[("second", None), ("first", None)]);
    all.review(&order()).await.expect("both allow");
    assert_eq!(*asked.lock().expect("no panic"), ["second", "first"], "the order is that of the config");
    let (all, asked) = hooks(&[("one", None), ("two", Some(ErrorKind::Rejected)), ("three", None)]);
    let error = all.review(&order()).await.expect_err("the second refuses");
    assert_eq!(error.to_string(), "the issuance hook two does not allow it: no");
    assert!(!error.retryable());
    assert_eq!(*asked.lock().expect("no panic"), ["one", "two"], "nobody is asked after a no");
}

#[tokio::test]
async fn no_answer_is_no_consent() {
    let (all, _) = hooks(&[("one", Some(ErrorKind::Unavailable))]);
    let error = all.review(&order()).await.expect_err("no answer");
    assert!(matches!(error, HookError::Failed { .. }) && error.retryable(), "{error:?}");
    let missing = HookEntry::unusable("there is no file /x.wasm".to_owned());
    let all = Hooks::new(vec![("gone".parse().expect("a name"), missing)]);
    let error = all.review(&order()).await.expect_err("it cannot be asked");
    assert!(error.to_string().contains("nothing is ordered: there is no file /x.wasm"), "{error}");
    Hooks::default().review(&order()).await.expect("without hooks everything is allowed");
}
