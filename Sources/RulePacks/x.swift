import Yams
func q() { _ = try? Yams.compose(yaml: "a: 1") }
