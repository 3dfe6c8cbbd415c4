//! What is reached of an index decides the choice alone.

use boltworks_apk::{Index, Whole, reach};
use boltworks_solver::{LikeApko, Solution, Universe, Unsolvable, explain, solve, solve_like_apko};
use proptest::prelude::*;

use super::properties::packages_of;
use super::{entry, options, world};

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "v", "w", "x", "gone"])
}

fn dependency() -> impl Strategy<Value = String> {
    let bound = prop::sample::select(vec!["", "", "", "", "=1", "<2", ">1", "~1"]);
    let sign = prop::sample::select(vec!["", "", "", "", "!"]);
    (sign, name(), bound).prop_map(|(sign, name, bound)| format!("{sign}{name}{bound}"))
}

fn few(item: impl Strategy<Value = String>, most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(item, 0..most).prop_map(|items| items.join(" "))
}

fn package() -> impl Strategy<Value = String> {
    let own = prop::sample::select(vec!["a", "b", "c", "d", "e", "f"]);
    let provided =
        prop::sample::select(vec!["v", "v=1", "v=2", "w", "w=1", "x", "x=2", "a=1", "b"]);
    let provides = few(provided.prop_map(str::to_owned), 3);
    let with = prop_oneof![4 => Just(String::new()), 1 => few(dependency(), 3)];
    (own, 1..4_u8, few(dependency(), 3), provides, with, 0..3_u8).prop_map(
        |(name, version, needs, provides, with, priority)| {
            format!(
                "{name} {version} needs {needs} provides {provides} if {with} priority {priority}"
            )
        },
    )
}

fn repository() -> impl Strategy<Value = Index> {
    packages_of(package(), 14)
        .prop_map(|lines| Index::new("", lines.iter().map(|line| entry(line)).collect()))
}

/// Two repositories, the second perhaps with a tag.
fn universe(indexes: &[&Index], tag: Option<&str>) -> Universe {
    let mut universe = Universe::new();
    for (name, (preference, index)) in ["os", "more"].into_iter().zip((0..).zip(indexes)) {
        universe.add_repository(name, index, -preference);
    }
    if let Some(tag) = tag {
        universe.tag_repository("more", tag);
    }
    universe
}

fn part(indexes: &[&Index], wishes: &str) -> Vec<Index> {
    let shelves: Vec<_> = indexes.iter().map(|index| Whole::new(index)).collect();
    let shelves: Vec<_> = shelves
        .iter()
        .map(|shelf| shelf as &dyn boltworks_apk::Shelf)
        .collect();
    let parts = reach(&shelves, &world(wishes)).unwrap().into_iter();
    parts
        .map(|part| Index {
            description: String::new(),
            entries: part
                .into_iter()
                .map(|reached| reached.entry.into_owned())
                .collect(),
        })
        .collect()
}

fn told(answer: Result<Solution, Unsolvable>) -> Option<String> {
    answer.ok().map(|solution| explain(&solution))
}

fn apkos(answer: Result<LikeApko, Unsolvable>) -> Option<String> {
    answer.ok().map(|like| {
        format!(
            "{}{:?}",
            explain(&like.solution),
            like.differences(&Solution::default())
        )
    })
}

#[test]
fn what_nothing_leads_to_is_left_out() {
    let index = super::index(
        "a 1 needs b\nb 1 provides v=1\nc 1 provides v=2 needs far\nd 1 if a docs\ne 1 if b a needs f\nf 1\nfar 1\ng 1",
    );
    let names = |wishes: &str| {
        let [part] = &part(&[&index], wishes)[..] else {
            panic!("one index, one part");
        };
        let names: Vec<_> = part
            .entries
            .iter()
            .map(|entry| entry.name.to_string())
            .collect();
        names.join(" ")
    };
    insta::assert_snapshot!(names("a"), @"a b c e f");
    insta::assert_snapshot!(names("v"), @"b c far");
    insta::assert_snapshot!(names("!a g"), @"g");
    insta::assert_snapshot!(names("nobody"), @"");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_part_answers_as_the_whole(
        os in repository(),
        more in repository(),
        wishes in prop::collection::vec((dependency(), 0..6_u8), 1..5),
        is_tagged: bool,
    ) {
        let tag = is_tagged.then_some("edge");
        let wish = |(wish, tagged): &(String, u8)| match tagged {
            0 => wish.clone() + "@edge",
            _ => wish.clone(),
        };
        let wishes = wishes.iter().map(wish).collect::<Vec<_>>().join(" ");
        let parts = part(&[&os, &more], &wishes);
        let whole = universe(&[&os, &more], tag);
        let part = universe(&parts.iter().collect::<Vec<_>>(), tag);
        let wishes = world(&wishes);
        prop_assert_eq!(
            told(solve(&part, &wishes, &options())),
            told(solve(&whole, &wishes, &options()))
        );
        prop_assert_eq!(
            apkos(solve_like_apko(&part, &wishes, &options(), &[])),
            apkos(solve_like_apko(&whole, &wishes, &options(), &[]))
        );
    }
}

#[test]
fn apko_sees_who_waits_without_a_version() {
    let index = super::index("b 1 needs a\na 1\nt 1 if a docs\nu 1 if a=1");
    let part = part(&[&index], "b");
    let part = universe(&part.iter().collect::<Vec<_>>(), None);
    let whole = universe(&[&index], None);
    let told = |universe: &Universe| apkos(solve_like_apko(universe, &world("b"), &options(), &[]));
    assert_eq!(told(&part), told(&whole));
}
