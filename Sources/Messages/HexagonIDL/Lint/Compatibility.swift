/// Compares two versions of a file as a skel sees them that was built from the old one and is called by a
/// stub of the new one.
package enum Compatibility {
    static let rule = "compatibility"

    /// What breaks, as errors at the place in the new file that name the old place too; what only looks
    /// different, as warnings.
    package static func check(old: IDLUnit, new: IDLUnit) -> [Diagnostic] {
        var comparison = Comparison(old: old, new: new)
        comparison.compareVersions()
        comparison.compareDeclarations()
        for interface in old.interfaces { comparison.compare(interface) }
        return comparison.findings
    }
}

private struct Comparison {
    let old: IDLUnit
    let new: IDLUnit
    private(set) var findings: [Diagnostic] = []

    init(old: IDLUnit, new: IDLUnit) {
        self.old = old
        self.new = new
    }

    private mutating func add(
        _ severity: Diagnostic.Severity, _ location: Location, _ message: String, was: Location,
        hint: String = ""
    ) {
        findings.append(
            Diagnostic(
                severity, at: location, message, hint: (hint.isEmpty ? "" : hint + "; ") + "before: \(was)",
                rule: Compatibility.rule, related: was))
    }

    private var start: Location { Location(file: new.path, line: 1, column: 1) }

    // MARK: Version

    mutating func compareVersions() {
        guard let after = new.version else { return }
        func numbers(_ version: String) -> [Int] { version.split(separator: ".").map { Int($0) ?? 0 } }
        let before = old.version ?? "0.0.0"
        guard numbers(before).lexicographicallyPrecedes(numbers(after)) else { return }
        let location = { (unit: IDLUnit) in
            unit.items.first { $0.key == "IDL_VERSION" }?.location
                ?? Location(file: unit.path, line: 1, column: 1)
        }
        add(
            .error, location(new),
            old.version == nil
                ? "IDL_VERSION \(after) is new: a deployed skel does not know it"
                : "IDL_VERSION goes from \(before) to \(after): a deployed skel refuses newer stubs",
            was: location(old), hint: "raise it only when skels are replaced too")
    }

    // MARK: Types and constants

    /// Compares what has the same name in both files.
    mutating func compareDeclarations() {
        let items = Dictionary(new.items.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        for before in old.items {
            guard let after = items[before.key] else { continue }
            switch (before.declaration, after.declaration) {
            case (.structure(let a), .structure(let b)):
                if let change = Shape.change(a, b) {
                    add(
                        .error, after.location, "the struct '\(b.name)' has changed: \(change)",
                        was: before.location)
                }
            case (.enumeration(let a), .enumeration(let b)):
                let values = Dictionary(
                    b.cases.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
                for (value, item) in a.cases.enumerated() {
                    guard let now = values[item.name], now != value else { continue }
                    add(
                        .error, after.location,
                        "'\(item.name)' of the enum '\(b.name)' was \(value) and is \(now)",
                        was: before.location, hint: "append new cases")
                }
            case (.constant(let a), .constant(let b)) where a.value != b.value && before.key != "IDL_VERSION":
                add(
                    .error, after.location, "the constant '\(b.name)' has another value", was: before.location
                )
            case (.alias(let a), .alias(let b)) where !Shape.areEqual(a.target, b.target):
                add(
                    .error, after.location,
                    "the type '\(b.name)' was \(a.written.spelling) and is \(b.written.spelling)",
                    was: before.location)
            default: break
            }
        }
    }

    // MARK: Interfaces

    mutating func compare(_ before: Interface) {
        guard let after = new.interfaces.first(where: { $0.name == before.name }) else {
            return add(.error, start, "the interface '\(before.name)' is gone", was: before.location)
        }
        guard before.hasHandle == after.hasHandle else {
            return add(
                .error, after.location,
                after.hasHandle
                    ? "'\(after.name)' now has a handle of its own, which moves every method by two"
                    : "'\(after.name)' no longer has a handle of its own, which moves every method by two",
                was: before.location)
        }
        let names = { (interface: Interface) in
            Dictionary(interface.methods.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        }
        let afterByName = names(after)
        let beforeByName = names(before)
        for (position, method) in before.methods.enumerated() {
            let sameIndex = position < after.methods.count ? after.methods[position] : nil
            if let now = afterByName[method.name] {
                if now.index == method.index {
                    compare(method, now)
                } else {
                    add(
                        .error, now.location,
                        "the method '\(method.name)' had the index \(method.index) and has \(now.index)",
                        was: method.location, hint: "append new methods, and keep the order of the others")
                }
            } else if let sameIndex, beforeByName[sameIndex.name] == nil {
                compareReplacement(method, sameIndex)
            } else {
                add(
                    .error, after.location, "the method '\(method.name)', index \(method.index), is gone",
                    was: method.location, hint: "keep it and return an error")
            }
        }
        // A new method in front of old ones; what it moves is listed above.
        let lastOld = after.methods.last { beforeByName[$0.name] != nil }?.index ?? -1
        for method in after.methods where beforeByName[method.name] == nil && method.index < lastOld {
            let place = method.index - (after.methods.first?.index ?? 0)
            guard place < before.methods.count, afterByName[before.methods[place].name] != nil else {
                continue
            }
            add(
                .error, method.location,
                "the new method '\(method.name)' takes the index \(method.index) of "
                    + "'\(before.methods[place].name)'",
                was: before.methods[place].location, hint: "append it behind the last method")
        }
    }

    /// Another name at an index: a mere renaming if the call looks the same.
    private mutating func compareReplacement(_ before: Method, _ after: Method) {
        let isSame =
            before.parameters.count == after.parameters.count
            && zip(before.parameters, after.parameters).allSatisfy {
                $0.direction == $1.direction && Shape.areEqual($0.type, $1.type)
            }
        if isSame {
            add(
                .warning, after.location,
                "the method '\(before.name)' at the index \(before.index) is called '\(after.name)' now",
                was: before.location, hint: "right only if it still does the same")
        } else {
            add(
                .error, after.location,
                "the method '\(before.name)' at the index \(before.index) gave way to '\(after.name)'",
                was: before.location, hint: "append the new method")
        }
    }

    private mutating func compare(_ before: Method, _ after: Method) {
        guard before.parameters.count == after.parameters.count else {
            return add(
                .error, after.location,
                "the method '\(after.name)' had \(before.parameters.count) parameters and has "
                    + "\(after.parameters.count)",
                was: before.location, hint: "append a new method")
        }
        for (index, (a, b)) in zip(before.parameters, after.parameters).enumerated() {
            if a.direction != b.direction {
                add(
                    .error, b.location,
                    "'\(b.name)' of '\(after.name)' was \(a.direction.rawValue) and is \(b.direction.rawValue)",
                    was: a.location)
            } else if !Shape.areEqual(a.type, b.type) {
                add(
                    .error, b.location,
                    "'\(b.name)' of '\(after.name)' was \(a.type.spelling) and is \(b.type.spelling)",
                    was: a.location)
            } else if a.name != b.name,
                let moved = after.parameters.firstIndex(where: { $0.name == a.name }), moved != index
            {
                add(
                    .error, after.parameters[moved].location,
                    "'\(a.name)' of '\(after.name)' was parameter \(index + 1) and is \(moved + 1)",
                    was: a.location)
            }
        }
    }
}

/// Whether types look the same on the wire.
private enum Shape {
    /// Types of one name count as equal where both are structs: their difference is reported once, at the
    /// struct.
    static func areEqual(_ a: IDLType, _ b: IDLType) -> Bool {
        switch (a.resolved, b.resolved) {
        case (.scalar(let a), .scalar(let b)): kind(a) == kind(b)
        case (.enumeration, .enumeration): true
        // An enum is a number of 32 bits.
        case (.enumeration, .scalar(let scalar)), (.scalar(let scalar), .enumeration):
            scalar == .int32 || scalar == .uint32
        case (.structure(let a), .structure(let b)): a.name == b.name || change(a, b) == nil
        case (.array(let a, let m), .array(let b, let n)): m == n && areEqual(a, b)
        case (.sequence(let a), .sequence(let b)): areEqual(a, b)
        case (.string, .string), (.wideString, .wideString), (.dmaHandle, .dmaHandle): true
        default: false
        }
    }

    /// Scalars whose bytes mean the same.
    private static func kind(_ scalar: ScalarType) -> ScalarType {
        switch scalar {
        case .octet, .char: .uint8
        case .wchar: .uint16
        default: scalar
        }
    }

    /// What is different about a struct, or nil.
    static func change(_ a: StructType, _ b: StructType) -> String? {
        // Structs of two equal members would be compared again and again.
        var equal: Set<[ObjectIdentifier]> = []
        for (index, member) in a.members.enumerated() {
            guard index < b.members.count else { return "'\(member.name)' is gone" }
            let now = b.members[index]
            if member.name != now.name {
                if let moved = b.members.firstIndex(where: { $0.name == member.name }) {
                    return "'\(member.name)' was member \(index + 1) and is \(moved + 1)"
                }
                // A mere renaming, if the type is the same and the name is new.
                if a.members.contains(where: { $0.name == now.name }) { return "'\(member.name)' is gone" }
            }
            if case .structure(let before) = member.type.resolved,
                case .structure(let after) = now.type.resolved,
                !equal.insert([ObjectIdentifier(before), ObjectIdentifier(after)]).inserted
            {
                continue
            }
            guard areEqual(member.type, now.type) else {
                return "'\(member.name)' was \(member.type.spelling) and is \(now.type.spelling)"
            }
        }
        if b.members.count > a.members.count { return "'\(b.members[a.members.count].name)' is new" }
        return nil
    }
}
