package dev.wclayer.cli;

import com.google.gson.JsonObject;
import dev.wclayer.Change;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "changes", description = "List what a layer adds (A), changes (C) and deletes (D).")
final class ChangesCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Option(
            names = "--parent",
            paramLabel = "P",
            description = "What to compare with. Default: the direct parent. '': nothing.")
    private @Nullable String parent;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        List<Change> changes = driver.changes(id, parent);
        if (output.wantsJson()) {
            output.json(Json.array(changes, change -> {
                JsonObject object =
                        Json.object("kind", String.valueOf(change.kind().letter()));
                object.addProperty("path", change.path());
                return object;
            }));
        } else {
            for (Change change : changes) {
                output.line(change.toString());
            }
        }
        return CommandLines.OK;
    }
}
