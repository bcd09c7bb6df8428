//! What holds for any bytes: reading them, finding stages, looking for mistakes, dumping and expanding do not panic.
//!
//! The unit tests and the fuzz target share this.

use dockerfile_frontend::lint::{Checks, Outside, lint};
use dockerfile_frontend::words::Words;
use dockerfile_frontend::{Given, Graph, Source, dump, parse, scan};

/// Reads `bytes` in every way there is. Panics where something does not hold.
pub fn any_bytes(bytes: &[u8]) {
    let Ok(source) = Source::new("D", bytes) else { return };
    let parsed = parse(&source);
    for diagnostic in &parsed.diagnostics {
        assert!(!diagnostic.to_string().is_empty());
        assert!(diagnostic.line() <= source.lines().max(1));
    }
    let dockerfile = &parsed.dockerfile;
    for instruction in &dockerfile.instructions {
        assert!(1 <= instruction.span.first && instruction.span.first <= instruction.span.last);
        assert!(instruction.span.last <= source.lines());
    }
    assert!(serde_json::to_string(dockerfile).is_ok());
    let given = Given {
        arguments: [("A".to_owned(), "a b".to_owned())].into(),
        platform: [("TARGETPLATFORM".to_owned(), "linux/amd64".to_owned())].into(),
    };
    if !parsed.has_errors()
        && let Ok(graph) = Graph::new(dockerfile, &source, &given, None)
    {
        assert!(graph.needed().contains(&graph.target));
    }
    let statements = scan(&source).statements;
    assert!(dump(&statements).lines().count() >= statements.len());
    let outside = Outside {
        is_ignored: &|_| true,
        variables_of: &|_| Some(Vec::new()),
        other_platform_of: &|_, _| None,
    };
    let checks = Checks::of(dockerfile, &given).unwrap_or_default();
    for finding in lint(&source, &statements, dockerfile, &given, &checks, outside) {
        assert!(finding.line() <= source.lines().max(1));
    }
    let text = String::from_utf8_lossy(bytes);
    for escape in ['\\', '`'] {
        if let Ok(done) = Words::new(escape).expand(&text, &given.arguments) {
            assert!(done.words.iter().all(|word| !word.is_empty()));
        }
    }
    let _ = Checks::parse(&text);
}
