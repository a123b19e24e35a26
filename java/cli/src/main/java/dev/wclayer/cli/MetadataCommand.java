package dev.wclayer.cli;

import com.google.gson.JsonObject;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "metadata", description = "Print where a layer's folder is.")
final class MetadataCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        Map<String, String> metadata = driver.getMetadata(id);
        if (output.wantsJson()) {
            JsonObject object = new JsonObject();
            metadata.forEach(object::addProperty);
            output.json(object);
        } else {
            for (Map.Entry<String, String> entry : metadata.entrySet()) {
                output.line(entry.getKey() + ": " + entry.getValue());
            }
        }
        return CommandLines.OK;
    }
}
