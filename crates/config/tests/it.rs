//! Generated files are what the code says.
/// `docs/boltworks.schema.json` is `boltworks schema`.
#[test]
fn the_published_schema_is_the_codes() {
    let published = include_str!("../../../docs/boltworks.schema.json");
    let schema = serde_json::to_string_pretty(&boltworks_config::schema()).unwrap();
    assert_eq!(
        published.trim_end(),
        schema,
        "write it anew: boltworks schema > docs/boltworks.schema.json"
    );
}
