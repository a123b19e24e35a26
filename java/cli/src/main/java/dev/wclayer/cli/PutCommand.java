package dev.wclayer.cli;

import dev.wclayer.WindowsDriver;
import java.io.IOException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(name = "put", description = "Undo one get; the last one unmounts.")
final class PutCommand extends LayerCommand {
    @Parameters(paramLabel = "ID", description = "The layer.")
    private String id;

    @Override
    int run(WindowsDriver driver, Output output) throws IOException {
        driver.put(id);
        if (output.wantsJson()) {
            output.json(Json.object("id", id));
        }
        return CommandLines.OK;
    }
}
