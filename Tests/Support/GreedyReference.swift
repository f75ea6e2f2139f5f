import Foundation

/// A prompt and its continuation by the most likely tokens, computed in double precision by another program.
package struct GreedyReference: Decodable, Sendable {
    package var prompt: String
    package var promptIDs: [Int32]
    package var greedyIDs: [Int32]
    /// The smallest difference between the best and the second logit on the way, where it is known.
    package var smallestMargin: Double?

    enum CodingKeys: String, CodingKey {
        case prompt
        case promptIDs = "prompt_ids"
        case greedyIDs = "greedy_ids"
        case smallestMargin = "smallest_margin"
    }

    private struct Storyteller: Decodable {
        var greedy: [GreedyReference]
        var questions: [GreedyReference]
    }

    /// The references of `stories260K`.
    package static func stories() throws -> [GreedyReference] {
        try JSONDecoder().decode([GreedyReference].self, from: data("models/stories260K-greedy.json"))
    }

    /// The references of the storyteller: stories, then questions.
    package static func storyteller() throws -> [GreedyReference] {
        let both = try JSONDecoder().decode(
            Storyteller.self, from: data("models/storyteller/storyteller-greedy.json"))
        return both.greedy + both.questions
    }

    private static func data(_ name: String) throws -> Data {
        Data(try SharedData.contents(name))
    }
}
