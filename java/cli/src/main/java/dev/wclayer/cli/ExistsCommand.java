package dev.wclayer.cli;

import com.google.gson.JsonObject;
import dev.wclayer.WindowsDriver;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "exists", description = "Tell whether there is such a layer (exit status 1: no).")
final class ExistsCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        boolean exists = driver.exists(id);
        if (output.wantsJson()) {
            JsonObject object = new JsonObject();
            object.addProperty("exists", exists);
            output.json(object);
        } else {
            output.line(exists ? "yes" : "no");
        }
        return exists ? CommandLines.OK : CommandLines.NO;
    }
}
