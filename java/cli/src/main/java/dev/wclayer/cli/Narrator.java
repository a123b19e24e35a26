package dev.wclayer.cli;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;

/** Tells what quickstart does: as numbered steps, or as one JSON object at the end. */
final class Narrator {
    private final Output output;
    private final JsonObject facts = new JsonObject();
    private int steps;

    Narrator(Output output) {
        this.output = output;
    }

    void step(String text) throws IOException {
        steps++;
        if (steps > 1) {
            say("");
        }
        say(steps + ". " + text);
    }

    void detail(String text) throws IOException {
        say("     " + text);
    }

    void say(String text) throws IOException {
        if (!output.wantsJson()) {
            output.line(text);
        }
    }

    void fact(String name, JsonElement value) {
        facts.add(name, value);
    }

    void end() throws IOException {
        if (output.wantsJson()) {
            facts.addProperty("ok", true);
            output.json(facts);
        }
    }
}
