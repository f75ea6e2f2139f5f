extension Text {
    private func mapped(_ body: (Int, CodePoint) -> String) -> Text {
        var result: [CodePoint] = []
        result.reserveCapacity(count)
        for (index, point) in points.enumerated() {
            if point.scalar.isASCII, let scalar = body(index, point).unicodeScalars.first {
                result.append(point.replaced(by: scalar))
            } else {
                result += body(index, point).unicodeScalars.map { point.replaced(by: $0) }
            }
        }
        return Text(result, isSafe: isSafe)
    }

    var uppercased: Text { mapped { $1.scalar.properties.uppercaseMapping } }
    var lowercased: Text { mapped { index, _ in lowercase(at: index) } }

    /// A sigma at a word's end has a form of its own.
    private func lowercase(at index: Int) -> String {
        let scalar = points[index].scalar
        guard scalar == "\u{3a3}" else { return scalar.properties.lowercaseMapping }
        func isCased(_ part: some Sequence<CodePoint>) -> Bool {
            part.first { !$0.scalar.properties.isCaseIgnorable }?.scalar.properties.isCased ?? false
        }
        let isFinal = isCased(points[..<index].reversed()) && !isCased(points[(index + 1)...])
        return isFinal ? "\u{3c2}" : "\u{3c3}"
    }

    /// `str.capitalize`
    var capitalized: Text {
        mapped { $0 == 0 ? $1.scalar.properties.titlecaseMapping : lowercase(at: $0) }
    }

    /// `str.title`: a capital wherever a letter follows something else.
    var titlecased: Text {
        mapped { index, point in
            index > 0 && points[index - 1].scalar.properties.isCased
                ? lowercase(at: index) : point.scalar.properties.titlecaseMapping
        }
    }

    /// The filter `title`: a capital behind white space, hyphens and opening brackets.
    var titleByWord: Text {
        func isBreak(_ point: CodePoint) -> Bool {
            point.isSpace || "-({[<".unicodeScalars.contains(point.scalar)
        }
        var result: [CodePoint] = []
        var rest = points[...]
        while let first = rest.first {
            let word = rest.prefix { isBreak($0) == isBreak(first) }
            rest = rest.dropFirst(word.count)
            result += Text(word.prefix(1)).uppercased.points + Text(word.dropFirst()).lowercased.points
        }
        return Text(result, isSafe: isSafe)
    }

    var swappedCase: Text {
        mapped { index, point in
            let properties = point.scalar.properties
            return properties.isUppercase
                ? lowercase(at: index)
                : properties.isLowercase ? properties.uppercaseMapping : String(point.scalar)
        }
    }

    /// `str.islower`: there are letters with case, and all are small.
    var isLowercase: Bool {
        points.contains { $0.scalar.properties.isLowercase }
            && !points.contains { $0.scalar.properties.isUppercase || $0.category == .titlecaseLetter }
    }

    var isUppercase: Bool {
        points.contains { $0.scalar.properties.isUppercase }
            && !points.contains { $0.scalar.properties.isLowercase || $0.category == .titlecaseLetter }
    }
}
