//! What `FROM` names by variables: images and platforms.

use std::collections::BTreeSet;

use super::{MAX_NEAR, Outside, Report};
use crate::ast::{Argument, From};
use crate::diagnostic::nearest;
use crate::scope::{Given, Global};
use crate::source::Span;
use crate::words::{Expansion, Words};

/// The platform that is built for.
const TARGET: &str = "TARGETPLATFORM";

/// What is known before the first `FROM`.
pub(super) struct Before<'g> {
    words: Words,
    given: &'g Given,
    global: Global<'g>,
    /// As it is where the user gives nothing.
    by_default: Global<'g>,
    names: BTreeSet<String>,
}

impl<'g> Before<'g> {
    /// Only what is always there. `nothing` has the same platforms as `given`, and no arguments.
    pub(super) fn new(words: Words, given: &'g Given, nothing: &'g Given) -> Self {
        let names = given.platform.keys().cloned().collect();
        Before { words, given, global: Global::new(given), by_default: Global::new(nothing), names }
    }

    /// Declares an argument.
    pub(super) fn declare(&mut self, argument: &Argument) {
        self.names.insert(argument.name.clone());
        // What cannot be expanded is an error elsewhere.
        let _ = self.global.declare(self.words, argument);
        let _ = self.by_default.declare(self.words, argument);
    }

    /// Image and platform of a `FROM`, if they can be expanded.
    pub(super) fn expand(&self, from: &From) -> Option<(String, Option<String>)> {
        let expand = |text: &String| Some(self.words.expand(text, self.global.variables()).ok()?.text);
        let platform = from.platform.as_ref().and_then(expand).filter(|text| !text.is_empty());
        Some((expand(&from.image)?, platform))
    }

    pub(super) fn look_at(&self, from: &From, span: Span, report: &mut Report<'_, '_>) {
        for text in [Some(&from.image), from.platform.as_ref()].into_iter().flatten() {
            let Ok(expansion) = self.words.expand(text, self.global.variables()) else { continue };
            self.undeclared(&expansion, span, report);
        }
        if let Some(text) = &from.platform
            && let Ok(expansion) = self.words.expand(text, self.global.variables())
        {
            self.platform(text, &expansion, from.name.as_deref().unwrap_or_default(), span, report);
        }
        if let Ok(expansion) = self.words.expand(&from.image, self.by_default.variables()) {
            let by_variables = !expansion.unset.is_empty() || !expansion.used.is_empty();
            let declared = expansion.unset.iter().all(|name| self.names.contains(name));
            if by_variables && declared && !is_image(&expansion.text) {
                let message = format!("with the defaults of its arguments `{}` is no image", from.image);
                report.warn("InvalidDefaultArgInFrom", span, Some(&from.image), message);
            }
        }
    }

    /// Reports an image at hand that is for another platform than `platform`, or the one that is built for.
    pub(super) fn fits(
        &self,
        image: &str,
        platform: Option<&str>,
        span: Span,
        outside: Outside<'_>,
        report: &mut Report<'_, '_>,
    ) {
        let wanted = platform.or_else(|| self.given.platform.get(TARGET).map(String::as_str));
        if !report.is_full()
            && let Some(wanted) = wanted
            && let Some(other) = (outside.other_platform_of)(image, wanted)
        {
            let message = format!("the base image `{image}` is for {other}, and {wanted} is wanted here");
            report.warn("InvalidBaseImagePlatform", span, Some(image), message);
        }
    }

    fn undeclared(&self, expansion: &Expansion, span: Span, report: &mut Report<'_, '_>) {
        if report.is_full() {
            return;
        }
        for name in expansion.unset.iter().filter(|name| !self.names.contains(*name)) {
            let message = format!("FROM uses `{name}`, which no ARG before it declares");
            let known: Vec<&str> = self.names.iter().take(MAX_NEAR).map(String::as_str).collect();
            match nearest(name, &known) {
                Some(near) => {
                    let hint = format!("did you mean `{near}`?");
                    report.warn_with("UndefinedArgInFrom", span, Some(name), message, &hint);
                }
                None => report.warn("UndefinedArgInFrom", span, Some(name), message),
            }
        }
    }

    fn platform(
        &self,
        text: &str,
        expansion: &Expansion,
        stage: &str,
        span: Span,
        report: &mut Report<'_, '_>,
    ) {
        let Expansion { text: platform, used, unset, .. } = expansion;
        if used.len() == 1 && used.contains(TARGET) && self.given.platform.get(TARGET) == Some(platform) {
            let message = format!("--platform={text} is what FROM does anyway");
            report.warn("RedundantTargetPlatform", span, Some(text), message);
        }
        // A stage that is called as its platform is one of several, each for its own.
        let mut parts = platform.split('/').take(2).filter(|part| !part.is_empty());
        if used.is_empty() && unset.is_empty() && !parts.any(|part| stage.contains(part)) {
            let message = format!("--platform should not be the constant `{platform}`");
            let hint = "leave it away, or name the stage after the platform, if there is one for each";
            report.warn_with("FromPlatformFlagConstDisallowed", span, Some(text), message, hint);
        }
    }
}

/// Whether `text` may be the name of an image: `[host[:port]/]path[:tag][@digest]`.
fn is_image(text: &str) -> bool {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let after_path = name.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match name[after_path..].split_once(':') {
        Some((last, tag)) => (&name[..after_path + last.len()], Some(tag)),
        None => (name, None),
    };
    let is_tag = |tag: &str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
        (1..=128).contains(&tag.len()) && tag.chars().all(plain) && !tag.starts_with(['.', '-'])
    };
    let is_part = |part: &str| {
        let ends = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        let plain = |letter: char| ends(letter) || "_.-".contains(letter);
        part.starts_with(ends) && part.ends_with(ends) && part.chars().all(plain)
    };
    let path = match path.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) || host == "localhost" => rest,
        _ => path,
    };
    let is_digest = |digest: &str| digest.split_once(':').is_some_and(|(_, hex)| hex.len() >= 32);
    path.split('/').all(is_part) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}
