package dev.wclayer.cli;

import com.google.gson.JsonObject;
import dev.wclayer.Garbage;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "gc",
        description = {
            "Remove what nothing uses: what killed processes left, and created layers that can never be filled because "
                    + "an ancestor is missing.",
            "With --root, every other layer too that no root is built on and that is not mounted. Without, a layer "
                    + "with content is never removed."
        })
final class GcCommand extends LayerCommand {
    @Option(names = "--dry-run", description = "Only tell what would go.")
    private boolean dryRun;

    @Option(
            names = "--root",
            paramLabel = "ID",
            description = "A layer that stays, with its ancestors. May be repeated; whatever is not named goes.")
    private List<String> roots = new ArrayList<>();

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        List<Garbage> garbage = driver.gc(dryRun, roots.toArray(new String[0]));
        if (output.wantsJson()) {
            JsonObject object = new JsonObject();
            object.addProperty("dryRun", dryRun);
            object.add("removed", Json.array(garbage, item -> {
                JsonObject one = Json.object("id", item.id());
                one.addProperty("reason", item.reason());
                return one;
            }));
            output.json(object);
        } else {
            for (Garbage item : garbage) {
                output.line((dryRun ? "would remove " : "removed ") + item.id() + ": " + item.reason());
            }
        }
        return CommandLines.OK;
    }
}
