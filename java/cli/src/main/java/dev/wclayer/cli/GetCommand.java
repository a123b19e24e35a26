package dev.wclayer.cli;

import dev.wclayer.WindowsDriver;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "get", description = "Mount a layer and print where; it stays mounted until put.")
final class GetCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        String path = driver.getDetached(id).toString();
        if (output.wantsJson()) {
            output.json(Json.object("path", path));
        } else {
            output.line(path);
        }
        return CommandLines.OK;
    }
}
