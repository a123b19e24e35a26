package dev.wclayer.cli;

import com.google.gson.JsonObject;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(name = "diff-size", description = "Print the bytes of the files that a layer adds or changes.")
final class DiffSizeCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Option(
            names = "--parent",
            paramLabel = "P",
            description = "What to compare with. Default: the direct parent. '': nothing.")
    private @Nullable String parent;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        long sizeBytes = driver.diffSize(id, parent);
        if (output.wantsJson()) {
            JsonObject object = new JsonObject();
            object.addProperty("sizeBytes", sizeBytes);
            output.json(object);
        } else {
            output.line(Long.toString(sizeBytes));
        }
        return CommandLines.OK;
    }
}
