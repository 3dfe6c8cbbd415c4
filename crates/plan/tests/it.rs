//! Plans of small catalogs: order, reasons, early cutoff, circles.

#![expect(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

use std::collections::{BTreeMap, BTreeSet};

use boltworks_apk::{Control, Index, IndexEntry};
use boltworks_model::{ActionId, Architecture, Sha1, Sha256, Timestamp};
use boltworks_plan::{
    ActionInputs, ActionKind, Catalog, ImageItem, Item, Known, Pick, Plan, RecipeItem, State,
    Subject, World, choose, evaluate,
};
use boltworks_recipe::{PipelineLibrary, ResolveOptions, parse_image, parse_recipe};
use proptest::prelude::*;

/// A digest by any means: planning only compares them.
fn digest(bytes: &[u8]) -> Sha256 {
    let mut hash = [0_u8; 32];
    for (index, byte) in bytes.iter().enumerate() {
        let slot = &mut hash[index % 32];
        *slot = slot.rotate_left(3)
            ^ byte
                .wrapping_mul(31)
                .wrapping_add(u8::try_from(index % 256).unwrap());
    }
    Sha256::new(hash)
}

fn entry(name: &str, content: u8) -> IndexEntry {
    let control = Control::new(name.parse().unwrap(), "1-r0".parse().unwrap(), "x86_64");
    IndexEntry::from_control(&control, identity(name, content), 1)
}

fn identity(name: &str, content: u8) -> Sha1 {
    let mut bytes = [content; 20];
    for (slot, byte) in bytes.iter_mut().skip(1).zip(name.bytes()) {
        *slot = byte;
    }
    Sha1::new(bytes)
}

/// A factory in memory: what was made, and with which content.
#[derive(Default)]
struct Factory {
    catalog: Catalog,
    made: BTreeMap<ActionId, (Subject, u8)>,
    last: BTreeMap<Subject, ActionInputs>,
    failed: BTreeMap<Subject, String>,
}

impl Factory {
    fn recipe(&mut self, name: &str, needs: &[&str], description: &str) {
        let packages = needs.iter().fold(String::new(), |list, need| {
            list + "
      - " + need
        });
        let text = format!(
            "package:\n  name: {name}\n  version: \"1\"\n  epoch: 0\n  description: {description}\n\
             environment:\n  contents:\n    packages:\n      - tools{packages}\n\
             pipeline:\n  - runs: make {name}\n"
        );
        let library = PipelineLibrary::builtin();
        let options = ResolveOptions::new(Architecture::X86_64, &library);
        let recipe =
            boltworks_recipe::resolve(&parse_recipe(name, &text).unwrap(), &options).unwrap();
        let item = RecipeItem {
            recipe,
            sources: Vec::new(),
            files: Vec::new(),
        };
        self.catalog.recipes.insert(name.to_owned(), item);
    }

    fn image(&mut self, name: &str, packages: &[&str]) {
        let text = format!(
            "contents:\n  packages: [{}]\narchs: [x86_64]\n",
            packages.join(", ")
        );
        let image = boltworks_recipe::resolve_image(&parse_image(name, &text).unwrap()).unwrap();
        self.catalog.images.insert(
            name.to_owned(),
            ImageItem {
                name: name.to_owned(),
                image,
                upon: None,
                tests: Vec::new(),
            },
        );
    }

    fn plan(&self) -> Plan {
        let made = |action: &ActionId, world: &mut World| {
            let Some((subject, content)) = self.made.get(action) else {
                return false;
            };
            if subject.kind == ActionKind::Recipe {
                add(world, "os", &subject.name, *content);
            }
            true
        };
        let known = Known {
            stage0: "stage0",
            made: &made,
            choose: &choose,
            last: &|subject| self.last.get(subject).cloned(),
            failed: &self.failed,
            writers: &BTreeMap::new(),
            architecture: Architecture::X86_64,
            epoch: Timestamp(0),
            key: digest(b"key"),
            vendor: "web",
            sha256: digest,
        };
        let mut world = World::default();
        add(&mut world, "stage0", "tools", 1);
        evaluate(&self.catalog, &known, world)
    }

    /// Makes everything that is ready, with this content, until nothing is; the order of it.
    fn make_all(&mut self, content: u8) -> Vec<String> {
        let mut order = Vec::new();
        loop {
            let plan = self.plan();
            let ready: Vec<Item> = plan.ready().cloned().collect();
            if ready.is_empty() {
                return order;
            }
            for item in ready {
                let State::Stale(action, _) = item.state else {
                    continue;
                };
                order.push(item.subject.to_string());
                self.last.insert(item.subject.clone(), item.inputs.unwrap());
                self.made.insert(action, (item.subject, content));
            }
        }
    }

    fn states(&self) -> Vec<String> {
        let describe = |item: &Item| match &item.state {
            State::Fresh(_) => format!("{}: fresh", item.subject),
            State::Stale(_, reasons) => format!("{}: {}", item.subject, reasons.join(", ")),
            State::Pending(on) => {
                let on: Vec<String> = on.iter().map(ToString::to_string).collect();
                format!("{}: waits for {}", item.subject, on.join(", "))
            }
            State::Blocked(why) => {
                format!("{}: blocked, {}", item.subject, why.lines().next().unwrap())
            }
        };
        self.plan().items.iter().map(describe).collect()
    }
}

fn add(world: &mut World, repository: &str, name: &str, content: u8) {
    let index = Index::new("", vec![entry(name, content)]);
    world.files.insert(
        identity(name, content),
        digest(&[content, u8::try_from(name.len()).unwrap()]),
    );
    world.universe.add_repository(repository, &index, 0);
}

/// `app` needs `library`, `library` needs `libc`; the image holds `app`.
fn chain() -> Factory {
    let mut factory = Factory::default();
    factory.recipe("app", &["library"], "an app");
    factory.recipe("library", &["libc"], "a library");
    factory.recipe("libc", &[], "a libc");
    factory.image("web", &["app"]);
    factory
}

#[test]
fn what_is_needed_is_made_first() {
    let mut factory = chain();
    assert_eq!(
        factory.states(),
        [
            "recipe libc: it was never made",
            "recipe library: waits for recipe libc",
            "recipe app: waits for recipe library",
            "image web: waits for recipe app",
        ]
    );
    assert_eq!(
        factory.make_all(1),
        ["recipe libc", "recipe library", "recipe app", "image web"]
    );
    assert!(factory.plan().is_done());
}

#[test]
fn a_change_is_named_and_stops_where_bytes_stay_equal() {
    let mut factory = chain();
    factory.make_all(1);
    factory.recipe("libc", &[], "a better libc");
    assert_eq!(factory.states()[0], "recipe libc: the recipe changed");
    assert_eq!(
        factory.make_all(1),
        ["recipe libc"],
        "equal bytes: nothing else is stale"
    );

    factory.recipe("libc", &[], "the best libc");
    assert_eq!(
        factory.make_all(2),
        ["recipe libc", "recipe library", "recipe app", "image web"]
    );
    let reasons = &factory.last[&Subject::recipe("library")].differences(&{
        let mut earlier = factory.last[&Subject::recipe("library")].clone();
        let packages = earlier.packages.iter().cloned();
        let sha256 = digest(b"other");
        earlier.packages = packages.map(|pick| Pick { sha256, ..pick }).collect();
        earlier
    });
    assert_eq!(reasons[0], "package libc-1-r0 has other bytes");
}

#[test]
fn going_back_to_an_earlier_recipe_makes_nothing() {
    let mut factory = chain();
    factory.make_all(1);
    factory.recipe("libc", &[], "another libc");
    factory.make_all(2);
    factory.recipe("libc", &[], "a libc");
    assert!(factory.plan().is_done());
}

#[test]
fn guests_with_accounts_are_told_apart() {
    let writers = |more: &str| {
        let mut factory = Factory::default();
        factory.recipe("app", &[], &format!("d{more}"));
        let plan = factory.plan();
        let item = plan.ready().next().unwrap();
        item.inputs.as_ref().unwrap().writers.clone()
    };
    let test =
        |accounts| format!("\ntest:\n  environment: {{ {accounts} }}\n  pipeline: [{{ runs: x }}]");
    assert!(writers("").is_empty());
    assert!(writers(&test("")).is_empty());
    assert_eq!(writers(&test("accounts: { run-as: root }")), ["accounts-1"]);
}

#[test]
fn a_failure_blocks_only_what_needs_it() {
    let mut factory = chain();
    factory.recipe("alone", &[], "on its own");
    factory
        .failed
        .insert(Subject::recipe("library"), "exit code 2".to_owned());
    assert_eq!(factory.make_all(1), ["recipe alone", "recipe libc"]);
    let states = factory.states();
    assert!(
        states.contains(&"recipe library: blocked, exit code 2".to_owned()),
        "{states:?}"
    );
    assert!(states.contains(
        &"recipe app: blocked, it needs recipe library, which cannot be made".to_owned()
    ));
}

#[test]
fn a_file_that_is_not_understood_blocks_only_what_needs_it() {
    let mut factory = chain();
    factory.recipe("alone", &[], "on its own");
    factory.recipe("tool", &["library-dev"], "needs a part of it");
    factory.catalog.recipes.remove("library");
    let unread = &mut factory.catalog.unread;
    unread.insert(Subject::recipe("library"), "line 3".to_owned());
    unread.insert(Subject::image("shop"), "line 4".to_owned());
    assert_eq!(factory.make_all(1), ["recipe alone", "recipe libc"]);
    assert_eq!(
        factory.states(),
        [
            "recipe library: blocked, line 3",
            "recipe alone: fresh",
            "recipe app: blocked, it needs recipe library, which cannot be made",
            "recipe libc: fresh",
            "recipe tool: blocked, world needs library-dev",
            "image web: blocked, it needs recipe app, which cannot be made",
            "image shop: blocked, line 4",
        ]
    );
    let plan = factory.plan();
    let tool = Subject::recipe("tool");
    let tool = plan.items.iter().find(|item| item.subject == tool).unwrap();
    let State::Blocked(why) = &tool.state else {
        panic!("{tool:?}");
    };
    assert!(
        why.ends_with("recipe library is not understood: what it offers is not known"),
        "{why}"
    );
}

#[test]
fn a_circle_blocks_only_itself_and_what_needs_it() {
    let mut factory = chain();
    factory.recipe("a", &["b"], "a");
    factory.recipe("b", &["c"], "b");
    factory.recipe("c", &["a"], "c");
    factory.recipe("after", &["c"], "needs the circle");
    factory.make_all(1);
    let circle = "blocked, recipes need one another in a circle: a needs b needs c needs a";
    let states = factory.states();
    assert_eq!(
        states
            .iter()
            .filter(|state| !state.ends_with("fresh"))
            .collect::<Vec<_>>(),
        [
            &format!("recipe a: {circle}"),
            &format!("recipe b: {circle}"),
            &format!("recipe c: {circle}"),
            "recipe after: blocked, it needs recipe c, which cannot be made",
        ]
    );
    assert_eq!(states.len(), 8);
}

#[test]
fn two_makers_of_one_package_are_both_blocked() {
    let mut factory = chain();
    factory.recipe("again", &[], "makes another's package");
    let mut again = factory.catalog.recipes.remove("again").unwrap();
    again.recipe.package.name = "alone".parse().unwrap();
    factory.recipe("alone", &[], "on its own");
    factory.catalog.recipes.insert("again".to_owned(), again);
    factory.make_all(1);
    let blocked: Vec<String> = factory
        .states()
        .into_iter()
        .filter(|state| !state.ends_with("fresh"))
        .collect();
    let why = "blocked, package 'alone' is made by two recipes, 'again' and 'alone'";
    assert_eq!(
        blocked,
        [
            format!("recipe again: {why}"),
            format!("recipe alone: {why}")
        ]
    );
}

#[test]
fn a_missing_package_blocks_with_the_chain() {
    let mut factory = Factory::default();
    factory.recipe("a", &["nowhere"], "a");
    assert_eq!(factory.states(), ["recipe a: blocked, world needs nowhere"]);
}

proptest! {
    /// In any catalog without circles everything is made, each once, and nothing before what it needs.
    #[test]
    fn every_catalog_is_finished(edges in prop::collection::vec((0_usize..8, 0_usize..8), 0..20)) {
        let mut needs: BTreeMap<usize, BTreeSet<usize>> = (0..8).map(|n| (n, BTreeSet::new())).collect();
        for (from, to) in edges {
            if to < from {
                needs.get_mut(&from).unwrap().insert(to);
            }
        }
        let mut factory = Factory::default();
        for (name, wanted) in &needs {
            let wanted: Vec<String> = wanted.iter().map(|n| format!("p{n}")).collect();
            let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
            factory.recipe(&format!("p{name}"), &wanted, "x");
        }
        let order = factory.make_all(1);
        let place = |n: usize| order.iter().position(|made| *made == format!("recipe p{n}"));
        prop_assert_eq!(order.len(), 8);
        for (name, wanted) in &needs {
            for want in wanted {
                prop_assert!(place(*want) < place(*name));
            }
        }
        prop_assert!(factory.plan().is_done());
    }
}
