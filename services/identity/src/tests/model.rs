//! Any order of issuing, refreshing, giving back and ending, beside a model that says which
//! tokens are active. Every token is looked at through the cache after every step.

use identity_contract::v1 as pb;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};

use super::{browser::Browser, house::*};

const SCOPES: &str = "read:account manage:connected_apps";

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Lets the app in once more: a new family.
    Begin,
    /// Uses the current refresh token of a family.
    Refresh(usize),
    /// Uses the one before it, as after a lost answer.
    Retry(usize),
    /// Uses the first of all, as a thief would.
    Reuse(usize),
    EndAccess(usize),
    EndFamily(usize),
    Disconnect,
}

#[derive(Default)]
struct Model {
    families: Vec<Family>,
    access: Vec<Access>,
}

struct Family {
    refresh_tokens: Vec<String>,
    alive: bool,
}

struct Access {
    token: String,
    family: usize,
    alive: bool,
}

struct Player {
    house: House,
    browser: Browser,
    model: Model,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => Just(Step::Begin),
        5 => any::<usize>().prop_map(Step::Refresh),
        2 => any::<usize>().prop_map(Step::Retry),
        1 => any::<usize>().prop_map(Step::Reuse),
        2 => any::<usize>().prop_map(Step::EndAccess),
        1 => any::<usize>().prop_map(Step::EndFamily),
        1 => Just(Step::Disconnect),
    ];
    prop::collection::vec(step, 12)
}

#[tokio::test]
async fn the_active_tokens_are_those_of_the_model() {
    let house = House::open().await;
    let mut browser = house.browser();
    let address = authorize(LOOP_APP, LOOP_APP_REDIRECT, SCOPES);
    house.sign_in(&mut browser, &address, "ada@loop.test").await;
    let mut player = Player { house, browser, model: Model::default() };
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..12 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        player.model = Model::default();
        for (at, step) in steps.iter().enumerate() {
            player.play(*step).await;
            player.compare(&steps[..=at]).await;
        }
    }
}

impl Player {
    async fn play(&mut self, step: Step) {
        let (families, tokens) = (self.model.families.len(), self.model.access.len());
        match step {
            Step::Begin => self.begin().await,
            Step::Disconnect => self.disconnect().await,
            _ if families == 0 => {}
            Step::Refresh(it) => self.refresh(it % families).await,
            Step::Retry(it) => self.retry(it % families).await,
            Step::Reuse(it) => self.reuse(it % families).await,
            Step::EndAccess(it) => {
                let access = &mut self.model.access[it % tokens];
                access.alive = false;
                let token = access.token.clone();
                self.give_back(token).await;
            }
            Step::EndFamily(it) => {
                let family = it % families;
                let token = self.current(family);
                self.end_family(family);
                self.give_back(token).await;
            }
        }
    }

    async fn begin(&mut self) {
        let address = authorize(LOOP_APP, LOOP_APP_REDIRECT, SCOPES);
        let code = self.browser.get(&address).await.parameter("code").unwrap();
        let issued = self.house.stranger().issue_token(exchange(&code)).await.unwrap();
        self.model.families.push(Family { refresh_tokens: Vec::new(), alive: true });
        self.take(self.model.families.len() - 1, issued.into_inner());
    }

    async fn refresh(&mut self, family: usize) {
        let answer = self.house.refresh(&self.current(family)).await;
        assert_eq!(answer.is_ok(), self.model.families[family].alive);
        if let Ok(issued) = answer {
            self.take(family, issued.into_inner());
        }
    }

    async fn retry(&mut self, family: usize) {
        let tokens = &self.model.families[family].refresh_tokens;
        let Some(before) = tokens.len().checked_sub(2) else { return };
        let (before, current) = (tokens[before].clone(), self.current(family));
        let answer = self.house.refresh(&before).await;
        assert_eq!(answer.is_ok(), self.model.families[family].alive);
        if let Ok(issued) = answer {
            let issued = issued.into_inner();
            assert_eq!(issued.refresh_token, current);
            self.model.access.push(Access { token: issued.access_token, family, alive: true });
        }
    }

    async fn reuse(&mut self, family: usize) {
        let tokens = &self.model.families[family].refresh_tokens;
        if tokens.len() < 3 {
            return;
        }
        assert!(self.house.refresh(&tokens[0]).await.is_err());
        if self.model.families[family].alive {
            (0..self.model.families.len()).for_each(|it| self.end_family(it));
        }
    }

    async fn disconnect(&mut self) {
        let Some(access) = self.model.access.iter().find(|it| self.works(it)) else { return };
        let token = access.token.clone();
        let request = pb::DisconnectAppRequest { client_id: LOOP_APP.into() };
        self.house.bearer(&token).disconnect_app(request).await.unwrap();
        (0..self.model.families.len()).for_each(|it| self.end_family(it));
    }

    async fn give_back(&self, token: String) {
        let client_id = LOOP_APP.into();
        let request = pb::RevokeTokenRequest { token, client_id, ..Default::default() };
        self.house.stranger().revoke_token(request).await.unwrap();
    }

    async fn compare(&self, played: &[Step]) {
        for access in &self.model.access {
            let found = self.house.caller(&access.token).await.is_some();
            assert_eq!(found, self.works(access), "after {played:?}");
        }
    }

    fn works(&self, access: &Access) -> bool {
        access.alive && self.model.families[access.family].alive
    }

    fn current(&self, family: usize) -> String {
        self.model.families[family].refresh_tokens.last().unwrap().clone()
    }

    fn end_family(&mut self, family: usize) {
        self.model.families[family].alive = false;
    }

    fn take(&mut self, family: usize, issued: pb::IssueTokenResponse) {
        self.model.families[family].refresh_tokens.push(issued.refresh_token);
        self.model.access.push(Access { token: issued.access_token, family, alive: true });
    }
}
