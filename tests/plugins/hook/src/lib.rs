//! An issuance hook that does what `BEHAVIOUR` says.

use acme_manager_plugin::hook::{Challenge, Hook, HookDescription, Objection, Order};
use acme_manager_plugin::host::{self, Level};
use acme_manager_plugin::{Error, Key, env, export_hook};

struct Scripted {
    behaviour: String,
    secret: String,
}

impl Hook for Scripted {
    fn describe() -> HookDescription {
        HookDescription::new("scripted", env!("CARGO_PKG_VERSION"))
            .homepage("https://example.com/hook")
            .host("policy.example.com")
            .key(Key::new("BEHAVIOUR").required().help("allow, refuse, tell, fail, panic, loop"))
            .key(Key::new("SECRET").secret())
    }

    fn from_env() -> Result<Self, Error> {
        Ok(Self { behaviour: env::required("BEHAVIOUR")?, secret: env::optional_or("SECRET", "none") })
    }

    fn review(&self, order: &Order) -> Result<(), Objection> {
        host::log(Level::Info, &format!("asked about {}", order.domains.join(" ")));
        match self.behaviour.as_str() {
            "allow" => Ok(()),
            "refuse" => {
                let challenge = match order.challenge {
                    Challenge::Dns => "dns",
                    Challenge::Http => "http",
                };
                let names = order.domains.join(" ");
                Err(Objection::refused(format!("not {names} at {} by {challenge}", order.issuer)))
            }
            "tell" => Err(Objection::refused(format!("the secret is {}", self.secret))),
            "fail" => Err(Objection::failed("the policy server is away")),
            "panic" => panic!("a defect of the hook"),
            "loop" => loop {
                std::hint::black_box(order);
            },
            other => Err(Objection::failed(format!("{other} is no behaviour"))),
        }
    }
}

export_hook!(Scripted);
