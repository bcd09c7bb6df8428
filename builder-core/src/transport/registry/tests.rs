//! Challenges, tokens, and what servers say.
