"""Two towers: products and keywords as vectors that are near when shoppers click and buy.

pairs       what shoppers clicked and bought, split by time
distilled   where a static tower starts from: one vector a word piece, out of the known model
model       the towers
negatives   keywords that are near a product without belonging to it
loss        softmax over the batch, corrected for how often a keyword is in one
gathering   the batch of all processes, with gradients
checkpoint  weights and optimiser as safetensors, the rest as JSON
fitting     epochs, early stopping
export      ONNX, int8; what it loses and gains
run         the command
"""
