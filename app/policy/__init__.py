"""What an administrator allows: images, networks, runtimes and limits, by who asks for them. See docs/policy.md."""
